"""`POST /watch-stream/{room}`: a viewer's way into a room."""

from __future__ import annotations

from fastapi import APIRouter, Request
from pydantic import BaseModel

from reverie.server.access import caller_of
from reverie.server.errors import Refused
from reverie.server.node import Node
from reverie.server.room_door import signalling_address

router = APIRouter()


class WatchAnswer(BaseModel):
    livekit_url: str
    token: str
    room_name: str


@router.post("/watch-stream/{room}", operation_id="watchStream")
def watch(request: Request, room: str) -> WatchAnswer:
    """Join a running session as a viewer; who knows its room's name, and has a key of the same tenant, may."""
    node: Node = request.app.state.node
    found = node.rooms.find(room, caller_of(request).tenant.name)
    if found is None:
        raise Refused(404, "not_found", "there is no such room, or it is over")
    return WatchAnswer(livekit_url=signalling_address(request), token=found.viewer, room_name=found.name)

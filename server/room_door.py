"""By what a client of LiveKit's kind comes in: a room of its own, or one to watch (`POST /watch-stream/{room}`)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from fastapi import APIRouter, Request
from pydantic import BaseModel
from starlette.requests import HTTPConnection

from reverie.client.protocol import FromServer, RoomInfo
from reverie.server.access import caller_of
from reverie.server.errors import Refused
from reverie.server.node import Node
from reverie.server.rooms import Room, Rooms
from reverie.server.session import Session

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


@contextmanager
def opened(session: Session, send: Callable[[FromServer], None], connection: HTTPConnection) -> Iterator[Room]:
    """A room for a session, until it is over."""
    codec = "VP8" if connection.query_params.get("livekit_server_codec", "").lower() == "vp8" else "H264"
    room = Room(session, send, caller_of(connection).tenant.name, codec)
    rooms: Rooms = connection.app.state.node.rooms
    rooms.open(room)
    try:
        yield room
    finally:
        rooms.close(room)


def room_info(room: Room, connection: HTTPConnection) -> RoomInfo:
    return RoomInfo(signalling_address(connection), room.publisher, room.name, room.session.id)


def signalling_address(connection: HTTPConnection) -> str:
    """This server as the client calls it; a proxy that ends TLS says so."""
    secure = connection.headers.get("x-forwarded-proto", connection.url.scheme) in ("https", "wss")
    return f"{'wss' if secure else 'ws'}://{connection.headers['host']}"

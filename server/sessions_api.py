"""`/v1/sessions`: what a tenant has running, and its picture for programs that read neither WebRTC nor a page."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field

from reverie.server.access import caller_of
from reverie.server.errors import AtCapacity, Refused
from reverie.server.live import transport_stream
from reverie.server.node import Node
from reverie.server.session import Session

router = APIRouter(prefix="/v1/sessions")


class Running(BaseModel):
    id: str
    prompt: str = Field(description="the look that is wanted; empty is the camera")
    mask: str = Field(description="where it is: none (everywhere), subject or background")
    state: str = Field(
        description="what is shown: styled, passthrough, stalled or crashed; empty before the first frame"
    )
    scene: str = Field(description="what the camera shows, in measured words; told anew every 2 seconds")
    sentence: str = Field(description="the language model's sentence about it; empty where it has not written one")
    viewers: int
    recording: str | None = Field(description="the id of the recording that is being made")


@router.get("", operation_id="listSessions")
async def every(request: Request) -> list[Running]:
    """Newest first."""
    node, tenant = _asked(request)
    return [_running(node, session) for session in reversed(node.sessions) if session.tenant == tenant]


@router.get("/{id}", operation_id="getSession")
async def one(request: Request, id: str) -> Running:
    """One session; `newest` is the one that began last."""
    node, tenant = _asked(request)
    return _running(node, _found(node, id, tenant))


@router.get("/{id}/live.ts", operation_id="watchSession", response_class=StreamingResponse)
async def live(request: Request, id: str) -> StreamingResponse:
    """The picture as an endless MPEG transport stream (H.264): for OBS's media source, VLC, FFmpeg."""
    node, tenant = _asked(request)
    session = _found(node, id, tenant)
    if session.output.viewers >= node.settings.max_viewers:
        raise Refused(503, AtCapacity.code, f"this session has its {node.settings.max_viewers} viewers")
    headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
    return StreamingResponse(transport_stream(session), media_type="video/mp2t", headers=headers)


def _asked(request: Request) -> tuple[Node, str]:
    node: Node = request.app.state.node
    return node, caller_of(request).tenant.name


def _found(node: Node, id: str, tenant: str) -> Session:
    if (session := node.find(id, tenant)) is None:
        raise Refused(404, "no_session", "there is no such session, or it has ended")
    return session


def _running(node: Node, session: Session) -> Running:
    return Running(
        id=session.id, prompt=session.look.name, mask=session.look.mask, state=session.state,
        scene=session.scene.note, sentence=session.scene.sentence,
        viewers=session.output.viewers, recording=node.recordings.of(session),
    )  # fmt: skip

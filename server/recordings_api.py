"""`/v1/recordings`: what was recorded of a tenant's sessions, and the switch that begins and ends it."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse
from pydantic import BaseModel, ConfigDict, Field

from reverie.server.access import caller_of
from reverie.server.errors import Refused
from reverie.server.node import Node
from reverie.server.recordings import Library, Recording

router = APIRouter(prefix="/v1/recordings")


class RecordRequest(BaseModel):
    model_config = ConfigDict(strict=True)

    session: str = Field(max_length=100, description="the session's id, from the message session_id")
    compare: bool = Field(False, description="camera on the left, look on the right")


def _library(request: Request) -> tuple[Library, str]:
    node: Node = request.app.state.node
    return node.recordings, caller_of(request).tenant.name


@router.post("", status_code=201, operation_id="startRecording")
async def start(request: Request, asked: RecordRequest) -> Recording:
    """Begin to record a session.  It ends when it is stopped, with its session, or at the server's limits."""
    library, tenant = _library(request)
    node: Node = request.app.state.node
    if (session := node.find(asked.session, tenant)) is None:
        raise Refused(404, "no_session", "there is no such session; its id is in the message session_id")
    return library.start(session, asked.compare)


@router.post("/{id}/stop", operation_id="stopRecording")
async def stop(request: Request, id: str) -> Recording:
    """End a recording; its file is whole when this answers."""
    library, tenant = _library(request)
    return await library.stop(tenant, id)


@router.get("", operation_id="listRecordings")
def every(request: Request) -> list[Recording]:
    """All of them, newest first."""
    library, tenant = _library(request)
    return library.every(tenant)


@router.get("/{id}", operation_id="getRecording")
def one(request: Request, id: str) -> Recording:
    library, tenant = _library(request)
    return library.find(tenant, id)


@router.get("/{id}/file", operation_id="downloadRecording", response_class=FileResponse)
def download(request: Request, id: str) -> Any:
    """The MP4; ranges are served, and one that is still being made can be read as far as it is."""
    library, tenant = _library(request)
    path = library.file(tenant, id)
    return FileResponse(path, media_type="video/mp4", filename=f"reverie-{id}.mp4")


@router.delete("/{id}", status_code=204, operation_id="deleteRecording")
def delete(request: Request, id: str) -> None:
    library, tenant = _library(request)
    library.delete(tenant, id)

"""`/v1/files`: what a tenant uploads once and refers to as `file_...`, for a day unless it says otherwise."""

from __future__ import annotations

import asyncio
import mimetypes
import re
from typing import Annotated

from fastapi import APIRouter, File, Form, Request, UploadFile
from starlette.responses import Response

from reverie.server.access import caller_of
from reverie.server.errors import Refused
from reverie.server.files import Files, Stored

router = APIRouter(prefix="/v1/files")
DAY_S, LEAST_TTL_S, MOST_TTL_S = 86_400, 60, 2_592_000


@router.post("", operation_id="uploadFile")
async def upload(
    request: Request, file: Annotated[UploadFile, File()], ttl_seconds: Annotated[str | None, Form()] = None
) -> Stored:
    """Keep a file; `ttl_seconds` is 60 to 2592000 or `persistent`, 24 hours if it is left out."""
    if ttl_seconds == "persistent":
        ttl_s = None
    elif ttl_seconds is None:
        ttl_s = DAY_S
    elif re.fullmatch(r"[0-9]{2,7}", ttl_seconds) and LEAST_TTL_S <= int(ttl_seconds) <= MOST_TTL_S:
        ttl_s = int(ttl_seconds)
    else:
        raise Refused(400, "bad_request", f"ttl_seconds must be {LEAST_TTL_S} to {MOST_TTL_S}, or persistent")
    check_size(request, file)
    data = await file.read()
    name = file.filename or "upload"
    kind = file.content_type or mimetypes.guess_type(name)[0] or "application/octet-stream"
    tenant = caller_of(request).tenant.name
    return await asyncio.to_thread(_files(request).put, tenant, data, name, kind, ttl_s)


@router.get("/{id}", operation_id="getFile", responses={404: {"description": "not there, or over"}})
def get(request: Request, id: str) -> Stored:
    return _found(request, id)


@router.delete("/{id}", operation_id="deleteFile", status_code=204, responses={404: {"description": "not there"}})
def delete(request: Request, id: str) -> Response:
    _found(request, id)
    _files(request).remove(caller_of(request).tenant.name, id)
    return Response(status_code=204)


def check_size(request: Request, file: UploadFile) -> None:
    """Raises: Refused 413."""
    limit_mb: int = request.app.state.node.settings.max_upload_mb
    if (file.size or 0) > limit_mb * 1_000_000:
        raise Refused(413, "too_large", f"a file may have {limit_mb} MB, this has {(file.size or 0) / 1e6:.1f}")


def _found(request: Request, id: str) -> Stored:
    found = _files(request).find(caller_of(request).tenant.name, id)
    if found is None:
        raise Refused(404, "not_found", "there is no such file, or it is over")
    return found[0]


def _files(request: Request) -> Files:
    files: Files = request.app.state.node.files
    return files

"""How large the body of a request may be: refused by its Content-Length before a byte is read, or where it passes."""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

UPLOADS = ("/v1/files", "/v1/jobs", "/v1/generate", "/v1/search")
BESIDE = 12_000_000  # bytes beside a file: the reference picture of a job, other fields
OTHERS = 1_000_000  # bytes; what is no upload is a small JSON object or SDP


class BodyLimit:
    """ASGI middleware."""

    def __init__(self, app: ASGIApp, max_upload_mb: int) -> None:
        self.app, self._max_mb = app, max_upload_mb

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        limit = self._max_mb * 1_000_000 + BESIDE if scope["path"].startswith(UPLOADS) else OTHERS
        told = Headers(scope=scope).get("content-length", "")
        if told.isascii() and told.isdigit() and int(told[:20]) > limit:
            text = too_large(int(told[:20]), limit)
            answer = JSONResponse(
                {"detail": text, "error": text, "error_type": "too_large"}, 413, {"connection": "close"}
            )
            return await answer(scope, receive, send)
        read = 0

        async def counted() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > limit:
                raise HTTPException(413, too_large(read, limit))
            return message

        await self.app(scope, counted, send)


def too_large(size: int, limit: int) -> str:
    return f"this request has {size} bytes or more, {limit} are allowed (REVERIE_MAX_UPLOAD_MB)"

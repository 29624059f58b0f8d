"""OPTIONS of WHIP and WHEP: what may be sent, also to pages of other origins, which the guard has let through."""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

ENDPOINT = {"allow": "GET, HEAD, OPTIONS, POST", "accept-post": "application/sdp"}
RESOURCE = {"allow": "GET, HEAD, OPTIONS, PATCH, DELETE", "accept-patch": "application/trickle-ice-sdpfrag"}
CORS = {
    "access-control-allow-methods": "POST, PATCH, DELETE, OPTIONS, GET, HEAD",
    "access-control-allow-headers": "Authorization, Content-Type, If-Match, X-API-Key",
    "access-control-expose-headers": "Location, Link, ETag, Retry-After, Reverie-Session",
    "access-control-max-age": "600",
    "vary": "Origin",
}


class Preflight:
    """ASGI middleware.  A general CORS layer would answer without Accept-Post (RFC 9725, 4.2)."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        known = scope["type"] == "http" and scope["method"] == "OPTIONS" and kind(scope["path"])
        if not known:
            return await self.app(scope, receive, send)
        headers = {**known, **CORS}
        if origin := Headers(scope=scope).get("origin"):
            headers["access-control-allow-origin"] = origin
        await Response(status_code=200, headers=headers)(scope, receive, send)


def kind(path: str) -> dict[str, str] | None:
    if path.startswith(("/whip/r/", "/whep/r/")):
        return RESOURCE
    return ENDPOINT if path == "/whip" or path.startswith("/whep/") else None

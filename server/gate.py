"""Every request's credential, before anything else sees the request: it becomes a caller, and leaves the address.

A key comes in the header X-API-KEY, as a bearer, or as api_key of a WebSocket's address (browsers set no header there).
It is taken out of the address, so no log line can hold it.  Default: deny; what needs no key is listed.
"""

from __future__ import annotations

import json
from urllib.parse import parse_qsl, urlencode

from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from reverie.server import lan
from reverie.server.access import Access
from reverie.server.errors import ServiceError, Unauthorized

OPEN = {"/", "/healthz", "/readyz", "/overlay", "/openapi.json", "/.well-known/jwks.json", "/rtc", "/rtc/v1"}
OPEN_BELOW = ("/web/", "/docs/", "/rtc/", "/join/")  # pages; LiveKit's signalling has tokens of its own
PAGES = {"/", "/overlay"}  # that a local network shows to devices with a pass only
SECRETS = ("api_key", "access_token")


class Gate:
    """ASGI middleware.  Sets `state.caller` (an access.Caller) and `state.room_token`."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self.app, self.access = app, access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            return await self.app(scope, receive, send)
        headers = Headers(scope=scope)
        query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        given = {name: value for name, value in query if name in SECRETS}
        if given:
            scope = {**scope, "query_string": urlencode([part for part in query if part[0] not in SECRETS]).encode()}
        kind, _, bearer = headers.get("authorization", "").partition(" ")
        bearer = bearer.strip() if kind.lower() == "bearer" else ""
        key = headers.get("x-api-key") or given.get("api_key") or bearer
        door = self.access.door
        if door is not None and not key:
            key = HTTPConnection(scope).cookies.get(lan.COOKIE, "")
        state = scope.setdefault("state", {})
        state["room_token"] = given.get("access_token") or bearer
        if door is not None and scope["path"] in PAGES and not door.knows(key):
            return await lan.stranger()(scope, receive, send)
        if _is_open(scope["path"]) or (scope["type"] == "http" and scope["method"] == "OPTIONS"):
            return await self.app(scope, receive, send)
        try:
            state["caller"] = self.access.caller(key, headers.get("origin"))
        except Unauthorized as refusal:
            scope["app"].state.node.metrics.refused.labels(refusal.code).inc()
            return await _refuse(refusal, scope, receive, send)
        await self.app(scope, receive, send)


def _is_open(path: str) -> bool:
    return path in OPEN or path.startswith(OPEN_BELOW)


async def _refuse(refusal: ServiceError, scope: Scope, receive: Receive, send: Send) -> None:
    """A browser shows nothing of a WebSocket that is refused by a status: it is opened, told why, and closed."""
    body = {"error": str(refusal), "error_type": refusal.code}
    if scope["type"] == "http":
        answer = JSONResponse({"detail": str(refusal), **body}, 401, {"WWW-Authenticate": "Bearer"})
        return await answer(scope, receive, send)
    await receive()
    await send({"type": "websocket.accept"})
    await send({"type": "websocket.send", "text": json.dumps({"type": "error", **body})})
    await send({"type": "websocket.close", "code": refusal.close_code, "reason": refusal.code})

"""Who may talk to this server: every HTTP and WebSocket request is checked before anything else sees it.

A web page of another origin can make a visitor's browser call 127.0.0.1, and a host name can be re-bound to it;
so both the Host and the Origin must be ours or listed.  Default: deny.
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Callable, Iterable
from urllib.parse import parse_qs, urlsplit

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADERS = {
    b"content-security-policy": b"default-src 'self'; img-src 'self' blob: data:; media-src 'self' blob:; "
    b"connect-src 'self' ws: wss:; object-src 'none'; base-uri 'none'; frame-ancestors 'self'",
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"no-referrer",
    b"cross-origin-resource-policy": b"same-origin",
}


REFUSED = 1008  # RFC 6455: against the policy


class Guard:
    """ASGI middleware.

    Args:
        hosts: further host names, without port, that this server answers to.
        origins: further origins (scheme://host[:port]) whose pages may connect.
        nodes: origins of this fleet's nodes, now: their pages come here when theirs is gone.
    """

    def __init__(
        self, app: ASGIApp, hosts: Iterable[str], origins: Iterable[str],
        nodes: Callable[[], Iterable[str]] = lambda: (),
    ) -> None:  # fmt: skip
        self.app, self.nodes = app, nodes
        self.hosts = {host.lower() for host in hosts}
        self.origins = {origin.lower().rstrip("/") for origin in origins}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            return await self.app(scope, receive, send)
        headers = Headers(scope=scope)
        status, reason = self.refusal(headers.getlist("host"), headers.getlist("origin"))
        if not status:
            return await self.app(scope, receive, _with_headers(send))
        if scope["type"] == "websocket" and _is_decart(scope):
            return await _tell(reason, receive, send)
        if scope["type"] == "websocket" and "websocket.http.response" not in scope.get("extensions", {}):
            await receive()
            return await send({"type": "websocket.close", "code": 1008, "reason": reason})
        return await PlainTextResponse(reason + "\n", status)(scope, receive, send)

    def refusal(self, hosts: list[str], origins: list[str]) -> tuple[int, str]:
        """(0, "") if the request may pass, else an HTTP status and a sentence."""
        if len(hosts) != 1 or not self._is_ours(host_of(hosts[0])):
            return (
                421,
                f"this server does not answer to the host {', '.join(hosts)[:100]!r} (REVERIE_HOSTS lists names)",
            )
        if len(origins) > 1:
            return 403, "a request has one origin"
        for origin in origins:
            if not (origin.lower() in self.origins or is_own(origin, hosts[0]) or origin in self.nodes()):
                return 403, f"pages of {origin[:100]!r} may not use this server (REVERIE_ORIGINS lists origins)"
        return 0, ""

    def _is_ours(self, host: str) -> bool:
        if host in self.hosts or host == "localhost" or host.endswith(".localhost"):
            return True
        try:
            return ipaddress.ip_address(host).is_loopback
        except ValueError:
            return False


def _is_decart(scope: Scope) -> bool:
    """Decart's SDKs see of a refused handshake only that it failed, and try for 25 s more."""
    agents = parse_qs(scope["query_string"].decode("latin-1")).get("user_agent", [""])
    return scope["path"] == "/v1/stream" and agents[0].startswith("decart-")


async def _tell(reason: str, receive: Receive, send: Send) -> None:
    """Open, say why, close; nothing is read.  "not allowed" is what makes those SDKs give up at once."""
    await receive()
    await send({"type": "websocket.accept"})
    body = {"type": "error", "error": f"not allowed: {reason}", "error_type": "forbidden"}
    await send({"type": "websocket.send", "text": json.dumps(body)})
    await send({"type": "websocket.close", "code": REFUSED, "reason": "forbidden"})


def host_of(header: str) -> str:
    """The host of a Host header, lower case, without port and brackets; "" if it cannot be read."""
    try:
        parts = urlsplit("//" + header.strip())
        parts.port  # noqa: B018  raises if it is no number
        return (parts.hostname or "") if not (parts.path or parts.query or parts.fragment or parts.username) else ""
    except ValueError:
        return ""


def is_own(origin: str, host: str) -> bool:
    """Whether an Origin header names the host and port of the Host header."""
    try:
        parts = urlsplit(origin.lower())
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and parts.netloc == host.lower()


def _with_headers(send: Send) -> Send:
    async def wrapped(message: Message) -> None:
        if message["type"] == "http.response.start":
            present = {name.lower() for name, _ in message.get("headers", [])}
            message["headers"] = [
                *message.get("headers", []),
                *((k, v) for k, v in HEADERS.items() if k not in present),
            ]
        await send(message)

    return wrapped

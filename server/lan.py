"""Serving a home or office network: a device enters by a link that works one time, and is known by a pass after.

The link is for whoever sees this machine's terminal.  Its token is spent by the first visit, which gets the pass as a
cookie (RFC 6265bis) that lives until the server ends; then the terminal shows the next link.  Tokens and passes have
256 random bits, are kept hashed and are never logged.
"""

from __future__ import annotations

import hashlib
import io
import re
import secrets
import socket
from collections.abc import Callable
from html import escape

import ifaddr
import segno
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

COOKIE = "__Host-reverie"  # browsers take it only with TLS, of this host and for all of it
AGE_S = 30 * 24 * 3600
PREFETCH = ("purpose", "sec-purpose", "x-moz")  # headers of browsers that only look ahead
UNUSED = "Another device needs a link of its own: the newest one stands in the terminal of the server."


class Door:
    """Knows the token of the next device and the passes of those before."""

    def __init__(self, changed: Callable[[str], None] = lambda token: None) -> None:
        """Args: changed: called with each new token."""
        self._changed = changed
        self._used: set[str] = set()
        self._passes: set[str] = set()
        self._token = ""
        self.renew()

    def renew(self) -> None:
        self._token = secrets.token_urlsafe(32)
        self._changed(self._token)

    def enter(self, token: str) -> str | None:
        """The pass of one more device; None if the token is not, or no longer, the one."""
        if not secrets.compare_digest(_hashed(token), _hashed(self._token)):
            return None
        given = f"rp_{secrets.token_urlsafe(32)}"
        self._used.add(_hashed(token))
        self._passes.add(_hashed(given))
        self.renew()
        return given

    def was_used(self, token: str) -> bool:
        return _hashed(token) in self._used

    def knows(self, given: str) -> bool:
        return _hashed(given) in self._passes


def _hashed(text: str) -> str:
    return hashlib.sha256(text.encode(errors="replace")).hexdigest()


async def join(request: Request) -> Response:
    """GET /join/TOKEN, of a browser: in, with a cookie.  POST, of a program: {"api_key": ...}."""
    door: Door | None = request.app.state.access.door
    token = request.path_params["token"]
    if door is None:
        return page(
            "Nothing to join", "This server is open to this machine only: `reverie serve --lan` makes links.", 404
        )
    if request.method == "HEAD" or any("prefetch" in request.headers.get(name, "") for name in PREFETCH):
        return Response(status_code=204)
    given = door.enter(token)
    if given is None and door.was_used(token):
        text = f"A link works once, on one device. {UNUSED}"
        return page("This link has been used", text, 410, link='If it was this one: <a href="/">open Reverie</a>.')
    if given is None:
        return page("This link is not known", f"It may be of an earlier start of the server. {UNUSED}", 403)
    if request.method == "POST":
        return JSONResponse({"api_key": given}, headers={"cache-control": "no-store"})
    answer = RedirectResponse("/", 303, {"cache-control": "no-store"})
    answer.set_cookie(COOKIE, given, max_age=AGE_S, secure=True, httponly=True, samesite="lax")
    return answer


def page(title: str, text: str, status: int, link: str = "") -> HTMLResponse:
    """One thing said, for people.  Args: link: HTML."""
    head = '<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
    head += f'<title>{escape(title)}</title><link rel="stylesheet" href="/web/notice.css">'
    body = f"<h1>{escape(title)}</h1><p>{escape(text)}</p>" + (f"<p>{link}</p>" if link else "")
    html = f'<!doctype html><html lang="en"><head>{head}</head><body><main>{body}</main></body></html>'
    return HTMLResponse(html, status, {"cache-control": "no-store"})


def stranger() -> HTMLResponse:
    """What a device without a pass sees."""
    return page("Reverie needs a link", f"This server lets devices in that have one. {UNUSED}", 401)


def addresses(host: str) -> list[str]:
    """Where others reach a server that listens on `host`, the likeliest first: IPv4 of this machine's networks."""
    if host not in ("0.0.0.0", "::", ""):
        return [host]
    found = [str(ip.ip) for adapter in ifaddr.get_adapters() for ip in adapter.ips if ip.is_IPv4]
    outward = _outward()
    there = sorted((each for each in found if not each.startswith("127.")), key=lambda each: each != outward)
    return there or ["127.0.0.1"]


def _outward() -> str:
    """The address of the default route, which a UDP socket takes without sending anything (TEST-NET-1, RFC 5737)."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
            return str(probe.getsockname()[0])
        except OSError:
            return ""


def names() -> list[str]:
    """Host names of this machine in its network; the second is what multicast DNS makes of it."""
    name = socket.gethostname().split(".")[0].lower()
    return [name, f"{name}.local"] if re.fullmatch(r"[a-z0-9-]{1,63}", name) else []


def invitation(base: str, token: str) -> str:
    """What the terminal shows: the link, and the same as a QR code, which is dark where the terminal is."""
    link, drawn = f"{base}/join/{token}", io.StringIO()
    segno.make(link, error="l").terminal(out=drawn, compact=True, border=2)
    return f"Let a device in, once: open {link}\n{drawn.getvalue()}"

"""A connection that was made over HTTP (WHIP, WHEP): it has a URL, takes candidates, and ends by DELETE."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Protocol

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from reverie.client.protocol import Candidate
from reverie.server.errors import Refused, ServiceError
from reverie.server.sdp import Unacceptable, parse_fragment

MAX_SDP = 200_000  # bytes
CONNECT_S = 30.0  # that a peer has to connect
FRAGMENT = "application/trickle-ice-sdpfrag"
STATUSES = {"at_capacity": 503, "not_ready": 503, "model_not_found": 404, "unauthorized": 401, "bad_offer": 422}


class Connection(Protocol):
    """A Publisher or a Viewer."""

    @property
    def connected(self) -> asyncio.Event: ...

    async def add_candidate(self, message: Candidate) -> None: ...

    def restart(self, ufrag: str, password: str) -> str: ...


class Resource:
    """One of them.  `close` is called once, whatever ends it."""

    def __init__(
        self, path: str, ufrag: str, tenant: str, connection: Connection, over: asyncio.Event,
        close: Callable[[], Awaitable[None]],
    ) -> None:  # fmt: skip
        """Args: ufrag: of the peer's ICE.  over: set by whoever ends it."""
        self.id = secrets.token_urlsafe(18)
        self.location, self.tenant = f"{path}/r/{self.id}", tenant
        self.deleted = False  # whether its client has asked for the end
        self.etag = _tag()
        self.over, self._closed = over, asyncio.Event()
        self._ufrag, self._connection, self._close = ufrag, connection, close

    async def stay(self) -> None:
        """Until it is over, or was not connected in time."""
        connected = asyncio.ensure_future(self._connection.connected.wait())
        over = asyncio.ensure_future(self.over.wait())
        try:
            await asyncio.wait((connected, over), timeout=CONNECT_S, return_when=asyncio.FIRST_COMPLETED)
            if connected.done():
                await over
        finally:
            connected.cancel()
            over.cancel()
            await self._close()
            self._closed.set()

    async def end(self) -> None:
        """End it, and wait until its place is free."""
        self.over.set()
        await self._closed.wait()

    async def patch(self, request: Request) -> Response:
        """Candidates: 204.  New credentials restart ICE: 200 with ours and another ETag (RFC 9725, 4.3.3)."""
        match = request.headers.get("if-match")
        if content_type(request) != FRAGMENT:
            raise Refused(415, "bad_type", f"a PATCH has the type {FRAGMENT}")
        if match is None and self.location.startswith("/whip/"):  # the one WHEP client there is sends none
            raise Refused(428, "no_etag", "a PATCH needs If-Match with the session's ETag")
        tags = {each.strip() for each in (match or "*").split(",")}  # RFC 9110, 13.1.1
        if not tags & {self.etag, "*"}:
            raise Refused(412, "wrong_etag", "the session has another ETag")
        try:
            fragment = parse_fragment((await body_of(request, MAX_SDP)).decode())
        except ValueError as error:
            raise Refused(400, "bad_request", str(error)) from None
        if (restarts := fragment.ufrag != self._ufrag) and not fragment.password:
            raise Refused(422, "wrong_ufrag", "candidates of another ICE user; a restart of ICE brings a=ice-pwd too")
        if restarts:
            told = self._connection.restart(fragment.ufrag, fragment.password)
            self._ufrag, self.etag = fragment.ufrag, _tag()
        for mid, text in fragment.candidates:
            with suppress(ValueError):  # RFC 9725, 4.3.1: what cannot be used is ignored
                candidate = {"candidate": text, "sdpMid": mid, "sdpMLineIndex": None}
                await self._connection.add_candidate(Candidate(candidate))
        return Response(told, 200, {"etag": self.etag}, FRAGMENT) if restarts else Response(status_code=204)

    def created(self, sdp: str, servers: list[str]) -> Response:
        """201.  Args: servers: values of Link."""
        headers = {"location": self.location, "etag": self.etag, "content-type": "application/sdp"}
        answer = Response(sdp, 201, headers)
        for link in servers:
            answer.headers.append("link", link)
        return answer


def _tag() -> str:
    return f'"{secrets.token_hex(8)}"'


async def read_offer(request: Request, check: Callable[[str], str]) -> tuple[str, str]:
    """The SDP of a POST, and its ufrag.  Raises Refused."""
    if content_type(request) != "application/sdp":
        raise Refused(415, "bad_type", "an offer has the type application/sdp")
    body = await body_of(request, MAX_SDP)
    try:
        sdp = body.decode()
        return sdp, check(sdp)
    except ValueError as error:
        raise Refused(400, "bad_offer", str(error)) from None
    except Unacceptable as error:
        raise Refused(422, "bad_offer", str(error)) from None


async def body_of(request: Request, limit: int) -> bytes:
    """Raises Refused if it is longer."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > limit:
            raise Refused(413, "too_large", f"a body may have {limit} bytes")
    return body


def content_type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def failure(error: ServiceError | Refused) -> Response:
    """What refuses a request, as HTTP; what a client may try again says when."""
    text = str(error)
    status = error.status if isinstance(error, Refused) else STATUSES.get(error.code, 500)
    answer = JSONResponse({"detail": text, "error": text, "error_type": error.code}, status)
    if status == 503:
        answer.headers["retry-after"] = str(getattr(error, "retry_after_s", 5))
    return answer

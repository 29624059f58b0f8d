"""One connection to a server: a WebSocket for words, WebRTC for pictures."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import TypeAlias
from urllib.parse import urlencode, urlsplit, urlunsplit

from aiortc import RTCConfiguration, RTCIceServer, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamTrack
from websockets.asyncio.client import ClientConnection
from websockets.asyncio.client import connect as open_websocket
from websockets.exceptions import ConnectionClosed, InvalidStatus, InvalidURI, WebSocketException

from reverie.client import rtc_tuning, sending
from reverie.client.errors import BadRequest, ConnectionLost, MediaFailed, ReverieError, error_from
from reverie.client.protocol import (
    Answer,
    Candidate,
    ChangeSettings,
    Failure,
    FromClient,
    FromServer,
    GenerationEnded,
    Offer,
    Prompt,
    PromptAck,
    Record,
    RecordAck,
    SetImage,
    SetImageAck,
    SettingsAck,
    encode,
    read,
)  # fmt: skip

IceServers: TypeAlias = tuple[str | tuple[str, str, str], ...]  # addresses, or (address, user, password)


class Link:
    """What is said and heard while it stands; `ended` holds why it does not any more."""

    def __init__(self, socket: ClientConnection, hear: Callable[[FromServer], None]) -> None:
        self._socket, self._hear = socket, hear
        self._waiting: deque[asyncio.Future[None]] = deque()  # the server answers in the order it was asked
        self._answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.ended: asyncio.Future[ReverieError] = asyncio.get_running_loop().create_future()

    async def ask(self, message: Prompt | SetImage | ChangeSettings | Record) -> None:
        """Send, and wait until the server has taken it.  Raises: BadRequest with its words; ConnectionLost."""
        waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiting)
        await self.say(message)
        await asyncio.wait((waiting, self.ended), return_when=asyncio.FIRST_COMPLETED)
        if not waiting.done():
            raise self.ended.result()
        waiting.result()

    def _acknowledged(self, refusal: str | None) -> None:
        if self._waiting:
            waiting = self._waiting.popleft()
            waiting.set_result(None) if refusal is None else waiting.set_exception(BadRequest(refusal))

    async def say(self, message: FromClient) -> None:
        with contextlib.suppress(ConnectionClosed):  # the reader tells why
            await self._socket.send(encode(message))

    async def offer(self, peer: RTCPeerConnection) -> None:
        """Raises: ReverieError if the server refuses; ConnectionLost."""
        await peer.setLocalDescription(await peer.createOffer())
        await self.say(Offer(peer.localDescription.sdp))
        await asyncio.wait((self._answer, self.ended), return_when=asyncio.FIRST_COMPLETED)
        if not self._answer.done():
            raise self.ended.result()
        await peer.setRemoteDescription(RTCSessionDescription(self._answer.result(), "answer"))

    async def listen(self) -> None:
        """Hear the server until it hangs up."""
        reason: ReverieError | None = None
        try:
            async for text in self._socket:
                match message := read(str(text)):
                    case Answer(sdp):
                        self._answer.set_result(sdp)
                    case PromptAck() | SetImageAck() | SettingsAck() | RecordAck():
                        self._acknowledged(None if message.success else message.error or "the server refused this")
                    case Failure(words, "bad_request"):
                        self._acknowledged(words)
                    case Failure():
                        reason = error_from(message)
                    case GenerationEnded(_, why) if why != "disconnect":
                        reason = ReverieError(f"the session ended: {why}", why)
                    case Candidate() | None:
                        pass
                if message is not None:
                    self._hear(message)
        except (ConnectionClosed, ValueError) as error:
            reason = reason or ConnectionLost(str(error))
        finally:
            self.end(reason or ConnectionLost("the server closed the connection"))

    def end(self, reason: ReverieError) -> None:
        if not self.ended.done():
            self.ended.set_result(reason)


def _ice_server(server: str | tuple[str, str, str]) -> RTCIceServer:
    return RTCIceServer(*((server,) if isinstance(server, str) else server))


@asynccontextmanager
async def link(
    url: str, model: str, api_key: str, ice_servers: IceServers, ca: str, sources: Sequence[MediaStreamTrack],
    on_track: Callable[[MediaStreamTrack], None], hear: Callable[[FromServer], None],
) -> AsyncIterator[tuple[Link, RTCPeerConnection]]:  # fmt: skip
    """An open WebSocket, and a peer connection that still has to be offered.  Raises: ReverieError."""
    rtc_tuning.apply()
    try:
        headers = {"Authorization": f"Bearer {api_key}"} if api_key else None
        where = address(url, model)
        trusted = ssl.create_default_context(cafile=ca) if ca and where.startswith("wss:") else None
        socket = await open_websocket(where, additional_headers=headers, max_size=2**24, open_timeout=10, ssl=trusted)
    except InvalidURI as error:
        raise BadRequest(str(error)) from None
    except InvalidStatus as error:
        words = (error.response.body or b"").decode(errors="replace").strip()[:300]
        raise BadRequest(words or f"the server answered {error.response.status_code}") from None
    except (OSError, WebSocketException, TimeoutError) as error:
        raise ConnectionLost(f"{url} cannot be reached: {error}") from None
    peer = RTCPeerConnection(RTCConfiguration(iceServers=[_ice_server(each) for each in ice_servers]))
    mine = Link(socket, hear)
    for track in sources:
        sender = peer.addTrack(track)
        if track.kind == "video":
            sending.steer(sender)
    peer.on("track", on_track)

    def changed() -> None:
        if peer.connectionState == "failed":
            mine.end(MediaFailed("the video connection failed; a firewall may block it"))

    peer.on("connectionstatechange", changed)
    listening = asyncio.create_task(mine.listen())
    try:
        yield mine, peer
    finally:
        listening.cancel()
        await peer.close()
        await socket.close()


def address(url: str, model: str = "") -> str:
    """Of the control WebSocket of a server.  Raises: BadRequest."""
    parts = urlsplit(url if "//" in url else f"//{url}", "http")
    scheme = {"http": "ws", "https": "wss", "ws": "ws", "wss": "wss"}.get(parts.scheme)
    if scheme is None or not parts.hostname:
        raise BadRequest(f"a server's address looks like http://127.0.0.1:8080, got {url!r}")
    path = parts.path.rstrip("/")
    query = "&".join(filter(None, (parts.query, urlencode({"model": model}) if model else "")))
    return urlunsplit((scheme, parts.netloc, path if path.endswith("/v1/stream") else f"{path}/v1/stream", query, ""))

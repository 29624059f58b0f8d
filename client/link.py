"""One connection to a server: a WebSocket for words, WebRTC for pictures."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
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
from reverie.client.over_socket import CODEC, OverSocket
from reverie.client.protocol import (
    Answer,
    Candidate,
    ChangeSettings,
    Failure,
    FromClient,
    FromServer,
    GenerationEnded,
    Media,
    MediaAck,
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


ICE_PATIENCE_S = 8.0  # then the pictures go over the WebSocket too
WAYS = ("auto", "webrtc", "websocket")


class Link:
    """What is said and heard while it stands; `ended` holds why it does not any more."""

    def __init__(self, socket: ClientConnection, hear: Callable[[FromServer], None]) -> None:
        self._socket, self._hear = socket, hear
        self._waiting: deque[asyncio.Future[None]] = deque()  # the server answers in the order it was asked
        self._answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.ended: asyncio.Future[ReverieError] = asyncio.get_running_loop().create_future()
        self.over_socket: OverSocket | None = None
        self._media: tuple[Sequence[MediaStreamTrack], Callable[[MediaStreamTrack], None]] | None = None

    async def ask(self, message: Prompt | SetImage | ChangeSettings | Record) -> None:
        """Send, and wait until the server has taken it.  Raises: BadRequest with its words; ConnectionLost."""
        waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiting)
        await self.say(message)
        await asyncio.wait((waiting, self.ended), return_when=asyncio.FIRST_COMPLETED)
        if not waiting.done():
            raise self.ended.result()
        waiting.result()

    def _acknowledged(self, refusal: str | None, code: str = "") -> None:
        if self._waiting:
            waiting = self._waiting.popleft()
            waiting.set_result(None) if refusal is None else waiting.set_exception(BadRequest(refusal, code))

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

    async def switch(self, sources: Sequence[MediaStreamTrack], on_track: Callable[[MediaStreamTrack], None]) -> None:
        """From now on pictures and sound go this way.  Args: sources: camera and microphone, if there is one."""
        self._media = sources, on_track
        await self.say(Media(CODEC, len(sources) > 1))

    def _switched(self, sound: bool) -> None:
        if self._media is None or self.over_socket is not None:
            return
        (camera, *microphones), on_track = self._media
        for each in microphones if not sound else ():  # a node of an older version
            each.stop()
        self.over_socket = OverSocket(self._send, camera, next(iter(microphones), None) if sound else None, on_track)

    async def _send(self, data: bytes) -> None:
        with contextlib.suppress(ConnectionClosed):
            await self._socket.send(data)

    async def listen(self) -> None:
        """Hear the server until it hangs up."""
        reason: ReverieError | None = None
        try:
            async for text in self._socket:
                if isinstance(text, bytes):
                    if self.over_socket is not None:
                        self.over_socket.hear(text)
                    continue
                match message := read(text):
                    case Answer(sdp):
                        self._answer.set_result(sdp)
                    case PromptAck() | SetImageAck() | SettingsAck() | RecordAck() as ack:
                        code = "" if isinstance(ack, RecordAck) else ack.error_type or ""
                        self._acknowledged(None if ack.success else ack.error or "the server refused this", code)
                    case Failure(words, "bad_request"):
                        self._acknowledged(words)
                    case Failure():
                        reason = error_from(message)
                    case GenerationEnded(_, why) if why != "disconnect":
                        reason = ReverieError(f"the session ended: {why}", why)
                    case MediaAck(_, sound):
                        self._switched(sound)
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
    url: str, model: str, api_key: str, ice_servers: IceServers, ca: str, way: str,
    sources: Callable[[], Sequence[MediaStreamTrack]], on_track: Callable[[MediaStreamTrack], None],
    hear: Callable[[FromServer], None],
) -> AsyncIterator[tuple[Link, Callable[[], Awaitable[None]]]]:  # fmt: skip
    """An open WebSocket, and what opens the way for pictures: by WebRTC, unless that fails.  Raises: ReverieError.

    Args: sources: subscribes to camera and microphone, in this order.
    """
    if way not in WAYS:
        raise BadRequest(f"media goes one of these ways: {', '.join(WAYS)}, got {way!r}")
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
    mine = Link(socket, hear)
    tasks = [asyncio.create_task(mine.listen())]
    peer = RTCPeerConnection(RTCConfiguration(iceServers=[_ice_server(each) for each in ice_servers]))

    async def open_media() -> None:
        if way == "websocket":
            return await mine.switch(sources(), on_track)
        settled = _watched(peer, mine)
        for track in sources():
            sender = peer.addTrack(track)
            if track.kind == "video":
                sending.steer(sender)
        peer.on("track", on_track)
        await mine.offer(peer)
        tasks.append(asyncio.create_task(choose(settled)))

    async def choose(settled: asyncio.Future[bool]) -> None:
        """A firewall that swallows packets lets ICE try for half a minute."""
        with contextlib.suppress(TimeoutError):
            if await asyncio.wait_for(settled, ICE_PATIENCE_S if way == "auto" else None):
                return
        if way == "webrtc":
            return mine.end(MediaFailed("the video connection failed; a firewall may block it"))
        await peer.close()
        await mine.switch(sources(), on_track)

    try:
        yield mine, open_media
    finally:
        for task in tasks:
            task.cancel()
        if mine.over_socket is not None:
            mine.over_socket.close()
        await peer.close()
        await socket.close()


def _watched(peer: RTCPeerConnection, mine: Link) -> asyncio.Future[bool]:
    """Whether it ever connects; if it fails after that, the link ends."""
    settled: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

    def changed() -> None:
        if peer.connectionState == "connected" and not settled.done():
            settled.set_result(True)
        elif peer.connectionState == "failed":
            if settled.done():
                mine.end(MediaFailed("the video connection failed"))
            else:
                settled.set_result(False)

    peer.on("connectionstatechange", changed)
    return settled


def address(url: str, model: str = "") -> str:
    """Of the control WebSocket of a server.  Raises: BadRequest."""
    parts = urlsplit(url if "//" in url else f"//{url}", "http")
    scheme = {"http": "ws", "https": "wss", "ws": "ws", "wss": "wss"}.get(parts.scheme)
    if scheme is None or not parts.hostname:
        raise BadRequest(f"a server's address looks like http://127.0.0.1:8080, got {url!r}")
    path = parts.path.rstrip("/")
    query = "&".join(filter(None, (parts.query, urlencode({"model": model}) if model else "")))
    return urlunsplit((scheme, parts.netloc, path if path.endswith("/v1/stream") else f"{path}/v1/stream", query, ""))

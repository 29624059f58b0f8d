"""A client's camera and microphone and a session's output over the control WebSocket, where no UDP comes through."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from aiortc.mediastreams import MediaStreamError
from starlette.websockets import WebSocket, WebSocketDisconnect

from reverie.client.opus import Opus
from reverie.client.socket_media import (
    CLOCK_HZ,
    KEYFRAME,
    PICTURE,
    RECEIVED,
    SOUND,
    Incoming,
    IncomingSound,
    Packet,
    Window,
    pack,
    unpack,
)  # fmt: skip
from reverie.server.session import Session


class SocketMedia:
    """It ends with `close`.  Its camera is a track as of a peer connection, its picture a reader as any viewer's."""

    def __init__(self, socket: WebSocket, session: Session, codec: str, sound: bool) -> None:
        """Args: sound: whether the client has a microphone, and hears."""
        self._socket, self._session, self._window = socket, session, Window()
        self._outbox: asyncio.Queue[Packet] = asyncio.Queue()  # bounded by the windows of both sides
        self._camera = Incoming(codec, self._outbox.put_nowait)
        self._reader = session.output.reader(codec)
        session.take(self._camera)
        loop = asyncio.get_running_loop()
        self._tasks = [loop.create_task(self._show()), loop.create_task(self._write())]
        self._microphone = IncomingSound() if sound else None
        self._ear = session.sound.listen() if sound else None
        if self._microphone is not None:
            session.take(self._microphone)
            self._tasks.append(loop.create_task(self._play()))

    def hear(self, data: bytes) -> None:
        """A binary message.  Raises: ValueError."""
        packet = unpack(data)
        if packet.kind == PICTURE:
            self._camera.put(packet)
        elif packet.kind == RECEIVED:
            self._window.received(packet.timestamp)
            self._reader.allow(self._window.control.bitrate)
        elif packet.kind == KEYFRAME:
            self._reader.ask_keyframe()
        elif self._microphone is not None:
            self._microphone.put(packet)

    def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        for track in (self._camera, self._reader, self._microphone, self._ear):
            if track is not None:
                track.stop()

    async def _show(self) -> None:
        with suppress(MediaStreamError):
            while True:
                await self._window.room()
                encoded = await self._reader.recv()
                self._window.sent(encoded.timestamp, len(encoded.data))
                self._outbox.put_nowait(Packet(PICTURE, encoded.timestamp, encoded.keyframe, encoded.data))

    async def _play(self) -> None:
        """The sound, with the times that the camera's pictures had at its moments."""
        assert self._ear is not None
        self._ear.take_opus()
        with suppress(MediaStreamError):
            while True:
                encoded = await self._ear.recv()
                assert isinstance(encoded, Opus)
                at = self._session.clock.source_s(self._ear.taken(encoded.timestamp))
                if not self._window.stuck:
                    self._outbox.put_nowait(Packet(SOUND, round(at * CLOCK_HZ), data=encoded.payloads[0]))

    async def _write(self) -> None:
        with suppress(WebSocketDisconnect, RuntimeError):  # the reader notices as well and ends the session
            while True:
                await self._socket.send_bytes(pack(await self._outbox.get()))

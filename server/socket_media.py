"""A client's camera and a session's picture over the control WebSocket, for networks that let no UDP through."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from aiortc.mediastreams import MediaStreamError
from starlette.websockets import WebSocket, WebSocketDisconnect

from reverie.client.socket_media import KEYFRAME, PICTURE, RECEIVED, Incoming, Packet, Window, pack, unpack
from reverie.server.session import Session


class SocketMedia:
    """It ends with `close`.  Its camera is a track as of a peer connection, its picture a reader as any viewer's."""

    def __init__(self, socket: WebSocket, session: Session, codec: str) -> None:
        self._socket, self._window = socket, Window()
        self._outbox: asyncio.Queue[Packet] = asyncio.Queue()  # bounded by the windows of both sides
        self._camera = Incoming(codec, self._outbox.put_nowait)
        self._reader = session.output.reader(codec)
        session.take(self._camera)
        loop = asyncio.get_running_loop()
        self._tasks = [loop.create_task(self._show()), loop.create_task(self._write())]

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

    def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        self._camera.stop()
        self._reader.stop()

    async def _show(self) -> None:
        with suppress(MediaStreamError):
            while True:
                await self._window.room()
                encoded = await self._reader.recv()
                self._window.sent(encoded.timestamp, len(encoded.data))
                self._outbox.put_nowait(Packet(PICTURE, encoded.timestamp, encoded.keyframe, encoded.data))

    async def _write(self) -> None:
        with suppress(WebSocketDisconnect, RuntimeError):  # the reader notices as well and ends the session
            while True:
                await self._socket.send_bytes(pack(await self._outbox.get()))

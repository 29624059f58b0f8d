"""The SDK's end of media over the control WebSocket: its camera goes out as H.264, its microphone as Opus."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from fractions import Fraction
from typing import Any

import av
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack

from reverie.client.opus import OPUS_HZ, Encoder
from reverie.client.rate import Budget
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

CODEC = "H264"
HEADROOM, LEAST = 1.5, 0.25  # x264 follows rates up to what it was opened for; below a quarter of it, it is opened anew


class OverSocket:
    """It ends with `close`."""

    def __init__(
        self, send: Callable[[bytes], Awaitable[None]], camera: MediaStreamTrack, microphone: MediaStreamTrack | None,
        on_track: Callable[[MediaStreamTrack], None],
    ) -> None:  # fmt: skip
        """Args: microphone: None also where the server takes no sound."""
        self._send, self._camera, self._microphone = send, camera, microphone
        self._window, self._budget = Window(), Budget()
        self._outbox: asyncio.Queue[Packet] = asyncio.Queue()  # bounded by the windows of both sides
        self._wanted = True  # a keyframe
        self._codec: Any = None
        self._opened = 0  # bit/s that the encoder was opened for
        self._shown = Incoming(CODEC, self._outbox.put_nowait)
        on_track(self._shown)
        self._tasks = [asyncio.create_task(self._film()), asyncio.create_task(self._write())]
        self._heard = None if microphone is None else IncomingSound()
        if microphone is not None and self._heard is not None:
            on_track(self._heard)
            self._tasks.append(asyncio.create_task(self._listen(microphone)))

    def hear(self, data: bytes) -> None:
        """A binary message of the server.  Raises: ValueError."""
        packet = unpack(data)
        if packet.kind == PICTURE:
            self._shown.put(packet)
        elif packet.kind == RECEIVED:
            self._window.received(packet.timestamp)
        elif packet.kind == KEYFRAME:
            self._wanted = True
        elif self._heard is not None:
            self._heard.put(packet)

    def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        self._shown.stop()
        self._camera.stop()
        for sound in (self._microphone, self._heard):
            if sound is not None:
                sound.stop()

    async def _write(self) -> None:
        while True:
            await self._send(pack(await self._outbox.get()))

    async def _film(self) -> None:
        loop = asyncio.get_running_loop()
        with suppress(MediaStreamError):
            while True:
                await self._window.room()
                bitrate = self._window.control.bitrate
                await asyncio.sleep(self._budget.wait_s(time.monotonic(), bitrate))
                frame: Any = await self._camera.recv()
                packet = await loop.run_in_executor(None, self._encode, frame, bitrate)
                self._budget.spend(time.monotonic(), 8 * len(packet.data), bitrate)
                self._window.sent(packet.timestamp, len(packet.data))
                self._outbox.put_nowait(packet)

    async def _listen(self, microphone: MediaStreamTrack) -> None:
        loop, encoder = asyncio.get_running_loop(), Encoder()
        with suppress(MediaStreamError):
            while True:
                frame: Any = await microphone.recv()
                encoded = await loop.run_in_executor(None, encoder.encode, frame)
                for each in [] if self._window.stuck else encoded:
                    at = round(each.timestamp * CLOCK_HZ / OPUS_HZ)
                    self._outbox.put_nowait(Packet(SOUND, at, data=each.payloads[0]))

    def _encode(self, frame: av.VideoFrame, bitrate: int) -> Packet:
        assert frame.pts is not None and frame.time_base is not None
        timestamp = round(frame.pts * frame.time_base * CLOCK_HZ)
        codec = self._codec
        if (
            codec is None
            or (codec.width, codec.height) != (frame.width, frame.height)
            or not (LEAST * self._opened <= bitrate <= self._opened)
        ):
            self._opened = round(HEADROOM * bitrate)
            codec = self._codec = _x264(frame.width, frame.height, self._opened)
        codec.bit_rate = bitrate
        copy = frame.reformat(format="yuv420p")
        copy.pts, copy.time_base = timestamp, Fraction(1, CLOCK_HZ)
        kinds = av.video.frame.PictureType
        copy.pict_type, self._wanted = kinds.I if self._wanted else kinds.NONE, False
        packets = codec.encode(copy)
        key = any(packet.is_keyframe for packet in packets)
        return Packet(PICTURE, timestamp, key, b"".join(map(bytes, packets)))


def _x264(width: int, height: int, bitrate: int) -> Any:
    codec: Any = av.CodecContext.create("libx264", "w")
    codec.width, codec.height, codec.pix_fmt, codec.bit_rate = width, height, "yuv420p", bitrate
    codec.framerate, codec.time_base, codec.gop_size = Fraction(30), Fraction(1, CLOCK_HZ), 300
    codec.profile, codec.thread_count, codec.max_b_frames = "Baseline", 1, 0
    codec.options = {
        "preset": "ultrafast", "tune": "zerolatency", "maxrate": str(bitrate), "bufsize": str(bitrate // 3),
    }  # fmt: skip
    codec.open()
    return codec

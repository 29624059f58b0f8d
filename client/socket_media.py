"""Media over the control WebSocket, where UDP is closed: packets, what is on its way, and tracks of what comes.

A packet is a header of 8 bytes in network order: kind (u8), 1 for a keyframe else 0 (u8), two zero bytes, time of the
picture or of the first sample in 1/90000 s (u32); then, of a picture, VP8 or H.264 (Annex B), of sound, one packet of
Opus.  Who receives a picture says so, and who has 8 of them on their way waits: TCP would keep seconds of them.  Sound
needs no receipt, but is left out while a picture has been on its way for a second.  To a client its times are those of
the camera's pictures: what was taken together has one time.  From a client they may lie anywhere.
"""

from __future__ import annotations

import asyncio
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import av
from aiortc.codecs.opus import OpusDecoder
from aiortc.jitterbuffer import JitterFrame
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack

from reverie.client.opus import OPUS_HZ
from reverie.client.rate import RateControl

HEADER = struct.Struct("!BBxxI")
PICTURE, RECEIVED, KEYFRAME, SOUND = range(4)  # a picture; its receipt, with its time; a keyframe is wanted; sound
DECODERS = {"VP8": "vp8", "H264": "h264"}
CLOCK_HZ, WRAP = 90_000, 1 << 32
LIMITS = {PICTURE: 4_000_000, SOUND: 4_000}  # bytes; all other packets have none
WINDOW = 8  # pictures on their way
UNREAD = 64  # that a peer without manners may leave with us
SOUNDS_A_SECOND = 100  # packets; the rest is lost
STUCK_S = 1.0
REPORT_S = 1.0


@dataclass(frozen=True, slots=True)
class Packet:
    kind: int
    timestamp: int = 0
    keyframe: bool = False
    data: bytes = b""


def pack(packet: Packet) -> bytes:
    return HEADER.pack(packet.kind, packet.keyframe, packet.timestamp % WRAP) + packet.data


def unpack(data: bytes) -> Packet:
    """Raises: ValueError, with a sentence for the peer."""
    if len(data) < HEADER.size or data[0] > SOUND or data[1] > 1:
        raise ValueError(
            f"a binary message begins with a header of {HEADER.size} bytes of kind 0 to 3, got {data[:8].hex()}"
        )
    kind, keyframe, timestamp = HEADER.unpack_from(data)
    size, limit = len(data) - HEADER.size, LIMITS.get(kind, 0)
    if not min(1, limit) <= size <= limit:
        raise ValueError(
            f"a picture has 1 to {LIMITS[PICTURE]} bytes, sound 1 to {LIMITS[SOUND]}, other packets none, got {size}"
        )
    return Packet(kind, timestamp, bool(keyframe), data[HEADER.size :])


class Window:
    """What is on its way; its round trips steer the rate."""

    def __init__(self) -> None:
        self.control = RateControl()
        self._sent: dict[int, float] = {}  # when, by time
        self._room = asyncio.Event()
        self._counted, self._bits, self._longest_s, self._full = time.monotonic(), 0, 0.0, False

    async def room(self) -> None:
        """Until another picture may be sent."""
        while len(self._sent) >= WINDOW:
            self._full = True
            self._room.clear()
            await self._room.wait()

    def sent(self, timestamp: int, size: int) -> None:
        """Args: size: bytes."""
        self.control.silent(time.monotonic())
        self._sent[timestamp % WRAP] = time.monotonic()
        self._bits += 8 * size

    @property
    def stuck(self) -> bool:
        """Whether the link stands still, or cannot keep up: more would only come later."""
        return bool(self._sent) and time.monotonic() - next(iter(self._sent.values())) > STUCK_S

    def received(self, timestamp: int) -> None:
        """TCP keeps the order: what was sent before it has come as well."""
        now = time.monotonic()
        if timestamp not in self._sent:
            return
        self._longest_s = max(self._longest_s, now - self._sent[timestamp])
        for each in list(self._sent):
            del self._sent[each]
            if each == timestamp:
                break
        self._room.set()
        if (elapsed := now - self._counted) >= REPORT_S:
            self.control.report(now, 0.0, self._bits / elapsed, self._longest_s, self._full)
            self._counted, self._bits, self._longest_s, self._full = now, 0, 0.0, False


class Incoming(MediaStreamTrack):
    """The pictures that come, decoded; each is confirmed when it is."""

    kind = "video"

    def __init__(self, codec: str, say: Callable[[Packet], None]) -> None:
        """Args: codec: VP8 or H264.  say: queues a packet to the peer."""
        super().__init__()
        self._codec, self._say = codec, say
        self._packets: asyncio.Queue[Packet | None] = asyncio.Queue(UNREAD)
        self._decoder: Any = None
        self._last = 0

    def put(self, packet: Packet) -> None:
        if self._packets.full():
            self._packets.get_nowait()
            self._decoder = None
        self._packets.put_nowait(packet)

    async def recv(self) -> av.VideoFrame:
        while self.readyState == "live":
            packet = await self._packets.get()
            if packet is None:
                break
            if self._decoder is None and not packet.keyframe:
                self._say(Packet(KEYFRAME))
                self._say(Packet(RECEIVED, packet.timestamp))
                continue
            frame = await asyncio.get_running_loop().run_in_executor(None, self._decode, packet)
            self._say(Packet(RECEIVED, packet.timestamp))
            if frame is not None:
                return frame
        self.stop()
        raise MediaStreamError

    def stop(self) -> None:
        super().stop()
        if self._packets.full():
            self._packets.get_nowait()
        self._packets.put_nowait(None)

    def _decode(self, packet: Packet) -> av.VideoFrame | None:
        if self._decoder is None:
            self._decoder = av.CodecContext.create(DECODERS[self._codec], "r")
            self._decoder.thread_count = 1
        try:
            frames = self._decoder.decode(av.Packet(packet.data))
        except av.FFmpegError:
            self._decoder = None
            return None
        if not frames:
            return None
        frame: av.VideoFrame = frames[-1]
        self._last = unwrapped(packet.timestamp, self._last)
        frame.pts, frame.time_base = self._last, Fraction(1, CLOCK_HZ)
        return frame


class IncomingSound(MediaStreamTrack):
    """The sound that comes, decoded."""

    kind = "audio"

    def __init__(self) -> None:
        super().__init__()
        self._packets: asyncio.Queue[Packet | None] = asyncio.Queue(UNREAD)
        self._decoder = OpusDecoder()
        self._last = self._count = 0
        self._since = 0.0

    def put(self, packet: Packet) -> None:
        if (now := time.monotonic()) - self._since >= 1.0:
            self._since, self._count = now, 0
        self._count += 1
        if self._count > SOUNDS_A_SECOND:
            return
        if self._packets.full():
            self._packets.get_nowait()
        self._packets.put_nowait(packet)

    async def recv(self) -> av.AudioFrame:
        while self.readyState == "live" and (packet := await self._packets.get()) is not None:
            self._last = unwrapped(packet.timestamp, self._last)
            try:
                frames = self._decoder.decode(JitterFrame(packet.data, self._last * OPUS_HZ // CLOCK_HZ))
            except av.FFmpegError:
                continue
            for frame in frames:  # one packet is one frame
                assert isinstance(frame, av.AudioFrame)
                return frame
        self.stop()
        raise MediaStreamError

    def stop(self) -> None:
        super().stop()
        if self._packets.full():
            self._packets.get_nowait()
        self._packets.put_nowait(None)


def unwrapped(timestamp: int, last: int) -> int:
    """A time of 32 bits, as near as can be to the last one."""
    ahead = (timestamp - last) % WRAP
    return last + (ahead if ahead < WRAP // 2 else ahead - WRAP)

"""Video encoders for live pictures: made once, then followed by bitrate, with a keyframe when one is asked for."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import Any

import av
from aiortc.codecs.h264 import H264Encoder
from aiortc.codecs.vpx import Vp8Encoder

log = logging.getLogger(__name__)

CLOCK_HZ = 90_000  # of video in RTP
LIVE_FPS = 30
KEYFRAME_EVERY = 300  # frames, if nobody asks: 10 s
# Tried in this order; the first that encodes a picture on this machine is taken.
H264 = {
    "h264_nvenc": {"preset": "p1", "tune": "ull", "rc": "cbr", "delay": "0", "zerolatency": "1", "forced-idr": "1"},
    "h264_videotoolbox": {"realtime": "1", "prio_speed": "1"},
    "h264_vaapi": {"rc_mode": "CBR", "async_depth": "1"},
    "libx264": {"preset": "ultrafast", "tune": "zerolatency"},
}
VP8 = {
    "cpu-used": "-6", "deadline": "realtime", "lag-in-frames": "0", "partitions": "0", "static-thresh": "1",
    "overshoot-pct": "15", "undershoot-pct": "100",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Encoded:
    """One encoded picture, for any number of readers."""

    payloads: list[bytes]  # of its RTP packets
    timestamp: int  # RTP, 90 kHz: that of the camera's frame
    keyframe: bool
    data: bytes  # H.264 as Annex B with SPS and PPS before each keyframe, or a VP8 frame
    width: int
    height: int


class Encoder:
    """H.264 or VP8.  One thread at a time may call it.

    H.264 follows rates from a quarter of what the codec was opened for up to it without a keyframe (measured: x264
    within 0.3 s); VP8 must be opened anew, so it leaves out changes below 25 %.
    """

    def __init__(self, codec: str) -> None:
        """Args: codec: "H264" or "VP8"."""
        if codec not in ("H264", "VP8"):
            raise ValueError(f"video is encoded as H264 or VP8, not as {codec!r}")
        self.codec = codec
        self.name = h264_name() if codec == "H264" else "libvpx"
        self._context: Any = None
        self._opened = 0  # b/s
        self._picture = 0

    def encode(self, frame: av.VideoFrame, bitrate: int, keyframe: bool) -> Encoded:
        """Args: frame: yuv420p with even sides, its own copy: its type and time may be changed.  bitrate: b/s."""
        assert frame.pts is not None and frame.time_base is not None
        timestamp = round(frame.pts * frame.time_base * CLOCK_HZ)
        self._follow(frame, bitrate)
        kinds = av.video.frame.PictureType
        frame.pict_type = kinds.I if keyframe else kinds.NONE
        frame.pts, frame.time_base = timestamp, Fraction(1, CLOCK_HZ)
        packets = self._context.encode(frame)
        data = b"".join(map(bytes, packets))
        is_key = any(packet.is_keyframe for packet in packets)
        return Encoded(self._packetize(data), timestamp, is_key, data, frame.width, frame.height)

    def _packetize(self, data: bytes) -> list[bytes]:
        if self.codec == "H264":
            return H264Encoder._packetize(H264Encoder._split_bitstream(data))
        self._picture = (self._picture + 1) % (1 << 15)
        return Vp8Encoder._packetize(data, self._picture)

    def _follow(self, frame: av.VideoFrame, bitrate: int) -> None:
        context = self._context
        same_size = context is not None and (context.width, context.height) == (frame.width, frame.height)
        low, high = (0.25, 1.0) if self.codec == "H264" else (0.75, 1.25)
        if not same_size or not low * self._opened <= bitrate <= high * self._opened:
            self._opened = bitrate * 3 // 2 if self.codec == "H264" else bitrate
            self._context = make_context(self.name, frame.width, frame.height, self._opened)
        if self.codec == "H264":
            self._context.bit_rate = bitrate


def make_context(name: str, width: int, height: int, bitrate: int) -> Any:
    """A codec for constant bitrate.  x264 follows later changes of `bit_rate` only if that begins as maxrate."""
    context: Any = av.CodecContext.create(name, "w")
    context.width, context.height, context.pix_fmt, context.bit_rate = width, height, "yuv420p", bitrate
    context.framerate, context.time_base = Fraction(LIVE_FPS), Fraction(1, CLOCK_HZ)
    context.gop_size, context.max_b_frames, context.thread_count = KEYFRAME_EVERY, 0, 1
    rates = {"maxrate": str(bitrate), "bufsize": str(bitrate // 3)}
    if name == "libvpx":
        context.gop_size, context.qmin, context.qmax = 3000, 2, 56
        context.thread_count = 2 if width * height > 640 * 480 else 1
        context.options = VP8 | rates | {"minrate": str(bitrate), "bufsize": str(bitrate)}
    else:
        context.profile = "Baseline"
        context.options = H264[name] | rates
    context.open()
    return context


@cache
def h264_name() -> str:
    """The first H.264 encoder that works here: hardware before x264."""
    for name in H264:
        try:
            probe(name)
        except (av.FFmpegError, ValueError, NotImplementedError) as error:
            log.debug("%s does not work here: %s", name, error)
        else:
            log.info("H.264 is encoded by %s", name)
            return name
    raise RuntimeError("this PyAV has no H.264 encoder")


def probe(name: str) -> None:
    """Raises: av.FFmpegError, ValueError, NotImplementedError if the encoder makes no packet."""
    context = make_context(name, 320, 192, 1_000_000)
    if not any(packet.size for packet in _first_packets(context)):
        raise ValueError(f"{name} made nothing")


def _first_packets(context: Any) -> Iterator[Any]:
    for number in range(3):
        frame = av.VideoFrame(320, 192, "yuv420p")
        frame.pts, frame.time_base = number * 3000, Fraction(1, CLOCK_HZ)
        yield from context.encode(frame)

"""How a receiver gets over packets that never come: aiortc 1.16 waits for them until 512 others are held back.

A frame with a hole holds the picture up for `PATIENCE_S`, in which packets that were asked for again may come.  Then it
is given up: a keyframe is asked for, and until it comes nothing is decoded; some senders (OBS) make one when they like,
so after `SMEAR_S` a smeared picture is better than none.
"""

from __future__ import annotations

import time
from typing import Any

import aiortc.rtcrtpreceiver as receiver
from aiortc.codecs import is_rtx
from aiortc.jitterbuffer import JitterBuffer, JitterFrame
from aiortc.utils import uint16_add, uint16_gt

PATIENCE_S = 0.25
SMEAR_S = 1.0
ASK_S = 0.4  # between two requests for a keyframe
BACKLOG = 15  # frames that wait for the decoder; then it goes on with a keyframe
MAX_RELEASED = 64  # frames that one packet may set free


def apply() -> None:
    """Patch aiortc; rtc_tuning does, after it has made frames leave with their marker."""
    state: Any = JitterBuffer
    state.newest = state.held_since = state.lost_since = None  # sequence number; when a hole and a loss were seen
    state.asked_at = float("-inf")  # for a keyframe
    JitterBuffer.add = _adding(JitterBuffer.add)  # type: ignore[method-assign]
    JitterBuffer._remove_frame = _removing(JitterBuffer._remove_frame)  # type: ignore[method-assign]
    receiver.RTCRtpReceiver._handle_rtp_packet = _handling(receiver.RTCRtpReceiver._handle_rtp_packet)  # type: ignore


def is_key(data: bytes) -> bool:
    """Whether an encoded picture, or its first packet, is a keyframe: VP8 (RFC 6386, 9.1) or H.264 with start codes."""
    if data[:4] == b"\0\0\0\1":
        return any(data[at + 4] & 31 in (5, 7) for at in _starts(data))
    return len(data) > 5 and not data[0] & 1 and data[3:6] == b"\x9d\x01\x2a"


def _starts(data: bytes) -> list[int]:
    found, at = [], data.find(b"\0\0\0\1")
    while at >= 0 and at + 4 < len(data):
        found.append(at)
        at = data.find(b"\0\0\0\1", at + 4)
    return found


def _adding(original: Any) -> Any:
    def add(self: Any, packet: Any) -> tuple[bool, JitterFrame | None]:
        if not self._is_video:
            return original(self, packet)  # type: ignore[no-any-return]
        now = time.monotonic()
        if self.newest is None or uint16_gt(packet.sequence_number, self.newest):
            self.newest = packet.sequence_number
        asks, frame = original(self, packet)
        if frame is not None or self._origin == uint16_add(self.newest, 1):
            self.held_since = None
        elif self.held_since is None and packet.marker:
            self.held_since = now
        if self.held_since is not None and now - self.held_since > PATIENCE_S:
            self.held_since = None
            self.lost_since = now if self.lost_since is None else self.lost_since
            skip(self)
            frame = self._remove_frame(self._origin)
        if self.lost_since is not None:
            asks = now - self.asked_at > ASK_S
            self.asked_at = now if asks else self.asked_at
            if now - self.lost_since > SMEAR_S:
                self.lost_since = None
        return asks, frame

    return add


def skip(buffer: Any) -> None:
    """Let go of packets up to the first of a frame behind a hole, or of all."""
    hole = marked = False
    for _ in range(buffer.capacity):
        if buffer._origin == uint16_add(buffer.newest, 1):
            return
        packet = buffer._packets[buffer._origin % buffer.capacity]
        if hole and packet is not None and (marked or is_key(packet._data)):
            return
        hole, marked = hole or packet is None, packet is not None and bool(packet.marker)
        buffer.remove(1)


def _removing(original: Any) -> Any:
    def remove_frame(self: Any, sequence_number: int) -> JitterFrame | None:
        frame: JitterFrame | None = original(self, sequence_number)
        while frame is not None and self.lost_since is not None:
            if is_key(frame.data):
                self.lost_since = None
                break
            frame = original(self, sequence_number)
        return frame

    return remove_frame


def _handling(original: Any) -> Any:
    async def handle(self: Any, packet: Any, arrival_time_ms: int) -> None:
        """All frames that a packet sets free are decoded, not only one; what was given up is not asked for again."""
        buffer = self._RTCRtpReceiver__jitter_buffer
        waiting = self._RTCRtpReceiver__decoder_queue.qsize()
        if buffer._is_video and waiting > BACKLOG and buffer.lost_since is None:
            buffer.lost_since = time.monotonic()
        await original(self, packet, arrival_time_ms=arrival_time_ms)
        if self.track is None or self.track.kind != "video" or buffer._origin is None:
            return
        codecs = self._RTCRtpReceiver__codecs
        codec = codecs.get(packet.payload_type)
        if codec is not None and is_rtx(codec):
            codec = codecs.get(codec.parameters.get("apt"))
        for _ in range(MAX_RELEASED):
            frame = buffer._remove_frame(packet.sequence_number) if codec is not None else None
            if frame is None or not self._RTCRtpReceiver__decoder_thread:
                break
            frame.timestamp = self._RTCRtpReceiver__timestamp_mapper.map(frame.timestamp)
            self._RTCRtpReceiver__decoder_queue.put((codec, frame))
        if (nacks := self._RTCRtpReceiver__nack_generator) is not None and nacks.missing:
            nacks.missing = {number for number in nacks.missing if not uint16_gt(buffer._origin, number)}

    return handle

"""Sound in packets of Opus, and when what is decoded from one was taken."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import av
from aiortc.codecs.opus import OpusEncoder

OPUS_HZ = 48_000
AHEAD_S = 312 / OPUS_HZ  # Opus encoders look so far ahead: what is decoded is older than its time says (RFC 7845, 4.2)


@dataclass(frozen=True, slots=True)
class Opus:
    """20 ms of sound, encoded once for all listeners."""

    payloads: list[bytes]  # of its one RTP packet
    timestamp: int  # RTP, 48 kHz: the source's time of the first sample that is decoded from it


class Encoder:
    """One thread at a time may call it."""

    def __init__(self) -> None:
        self._opus = OpusEncoder()

    def encode(self, frame: av.AudioFrame) -> list[Opus]:
        """Of 20 ms each, whatever length the frames have."""
        parts: list[Any] = self._opus.resampler.resample(frame)
        packets = [packet for part in parts for packet in self._opus.codec.encode(part)]
        return [Opus([bytes(packet)], packet.pts) for packet in packets]

"""When a picture was taken, as LiveKit tells it: bytes behind an encoded frame, which the answer carries back.

Source: livekit-client `frameMetadata` (PTF_USER_TIMESTAMP).  A trailer is elements of (tag, length, content), then its
own length, all bytes inverted so that H.264 sees no start code in them, then "LKTS".  Only the sender reads what is
inside, on its own clock: Decart's SDK measures glass to glass by it (`debugQuality`).
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace
from typing import Any

from reverie.server.encoders import Encoded

MAGIC, ENVELOPE = b"LKTS", 5  # bytes at the end: the length and the magic
LONGEST = 64  # that is carried; a time has 15
KEPT = 256  # pictures whose answers may still come
AGGREGATE = 24  # H.264 packets of several NAL units say each one's length: nothing can be put behind them


class Trailers:
    """Those of one camera, by the RTP timestamp, which a styled picture has from its camera picture."""

    def __init__(self) -> None:
        self._known: OrderedDict[int, bytes] = OrderedDict()

    def listen(self, receiver: Any) -> None:
        """Take the trailers off whatever one of aiortc's receivers decodes from now on."""
        decode = receiver._RTCRtpReceiver__decoder_queue
        put = decode.put

        def without_trailer(task: Any) -> None:
            if task is not None:
                frame = task[1]
                frame.data, trailer = split(frame.data)
                if trailer:
                    self.keep(frame.timestamp, trailer)
            put(task)

        decode.put = without_trailer

    def keep(self, timestamp: int, trailer: bytes) -> None:
        self._known[timestamp & 0xFFFFFFFF] = trailer
        if len(self._known) > KEPT:
            self._known.popitem(last=False)

    def behind(self, encoded: Encoded, codec: str) -> Encoded:
        """The picture with the trailer of the one that it was made from, if that had any."""
        trailer = self._known.get(encoded.timestamp & 0xFFFFFFFF)
        *before, last = encoded.payloads
        if trailer is None or (codec == "H264" and last[0] & 31 == AGGREGATE):
            return encoded
        return replace(encoded, payloads=[*before, last + trailer])


def split(data: bytes) -> tuple[bytes, bytes]:
    """An encoded frame without its trailer, and the trailer; b"" if there is none."""
    if not data.endswith(MAGIC) or len(data) < ENVELOPE:
        return data, b""
    length = data[-ENVELOPE] ^ 0xFF
    if not ENVELOPE < length <= min(LONGEST, len(data)):
        return data, b""
    return data[:-length], data[-length:]

"""A session's picture as an MPEG transport stream: what is encoded for H.264 viewers anyway, in another wrapper."""

from __future__ import annotations

from collections.abc import AsyncIterator
from fractions import Fraction
from typing import Any

import av
from aiortc.mediastreams import MediaStreamError

from reverie.server.encoders import CLOCK_HZ, Encoded
from reverie.server.session import Session

BITRATE = 4_000_000  # b/s: whoever reads HTTP is near


class Pieces:
    """Keeps what FFmpeg writes until it is taken."""

    def __init__(self) -> None:
        self._held = bytearray()

    def write(self, data: bytes) -> int:
        self._held += data
        return len(data)

    def take(self) -> bytes:
        taken = bytes(self._held)
        self._held.clear()
        return taken


async def transport_stream(session: Session) -> AsyncIterator[bytes]:
    """Whole packets of 188 bytes, picture by picture, until the session ends; begins with a keyframe."""
    pieces, container, stream = Pieces(), None, None  # type: Pieces, Any, Any
    reader = session.output.reader("H264")
    reader.allow(BITRATE)
    try:
        while True:
            encoded = await reader.recv()
            if container is None:
                container, stream = _open(pieces, encoded)
            packet = av.Packet(encoded.data)
            packet.stream, packet.time_base = stream, Fraction(1, CLOCK_HZ)
            packet.pts = packet.dts = encoded.timestamp
            packet.is_keyframe = encoded.keyframe
            container.mux(packet)
            yield pieces.take()
    except MediaStreamError:
        return
    finally:
        reader.stop()
        if container is not None:
            container.close()


def _open(pieces: Pieces, first: Encoded) -> tuple[Any, Any]:
    container: Any = av.open(
        pieces, "w", format="mpegts", options={"flush_packets": "1", "muxdelay": "0", "muxpreload": "0"}
    )
    stream: Any = container.add_stream("libx264", rate=30)  # only to name the codec: nothing is encoded here
    stream.width, stream.height, stream.pix_fmt = first.width, first.height, "yuv420p"
    stream.time_base = Fraction(1, CLOCK_HZ)
    return container, stream

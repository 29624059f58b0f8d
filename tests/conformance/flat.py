"""What the scripts in SDK environments share: a picture of one colour, as they have no imaging library, and patience."""

import asyncio
import struct
import zlib
from collections.abc import Callable


def picture(colour: tuple[int, int, int], width: int = 64, height: int = 48) -> bytes:
    """PNG (RFC 2083)."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = (b"\0" + bytes(colour) * width) * height
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


async def until(true: Callable[[], bool], limit_s: float = 30.0) -> bool:
    """Whether it came true in time."""
    for _ in range(int(limit_s / 0.05)):
        if true():
            return True
        await asyncio.sleep(0.05)
    return False

"""What a session's stream recalls, small enough for the journal: another node paints it again, and goes on as it was.

Camera pictures at the size that the model paints, as JPEG: the first since the look was taken on, and the last ones.  A
stream that is shown them has nearly the memory of the one that is lost; of `nano` that would be 1.5 MB.
"""

from __future__ import annotations

import struct
from collections import deque

import cv2
import numpy as np

from reverie.server.pictures import Picture

EVERY_S = 2.0  # seconds between two snapshots, at least
LIMIT = 256_000  # bytes of one
LAST = 4  # pictures beside the first; `nano` recalls four
QUALITIES = (92, 80, 60, 40)  # of JPEG, the first that fits


class Recall:
    """The engine's thread notes pictures, the event loop's threads pack them."""

    def __init__(self) -> None:
        self._first: Picture | None = None
        self._last: deque[Picture] = deque(maxlen=LAST)

    def forget(self) -> None:
        """The stream begins anew."""
        self._first = None
        self._last = deque(maxlen=LAST)

    def note(self, picture: Picture) -> None:
        """A picture, (H, W, 3) RGB, that the stream has painted; nobody changes it any more."""
        if self._first is None or self._first.shape != picture.shape:
            self._first = picture
            self._last = deque(maxlen=LAST)
        else:
            self._last.append(picture)

    def pack(self) -> bytes:
        """All of it in LIMIT bytes, or fewer of the last ones; b"" if there is nothing."""
        first, last = self._first, tuple(self._last)
        if first is None:
            return b""
        while True:
            for quality in QUALITIES:
                packed = b"".join(_packed(each, quality) for each in (first, *last))
                if len(packed) <= LIMIT:
                    return packed
            if not last:
                return b""
            last = last[len(last) // 2 + 1 :]


def unpack(data: bytes) -> list[Picture]:
    """The pictures, first one first.  Raises ValueError if `data` was not packed here."""
    found: list[Picture] = []
    at = 0
    while at < len(data):
        try:
            (size,) = struct.unpack_from(">I", data, at)
        except struct.error:
            raise ValueError("a snapshot of what was seen is cut short") from None
        coded = np.frombuffer(data[at + 4 : at + 4 + size], np.uint8)
        picture = cv2.imdecode(coded, cv2.IMREAD_COLOR_RGB) if size else None
        if picture is None or (found and picture.shape != found[0].shape):
            raise ValueError("a snapshot of what was seen is damaged")
        found.append(picture.astype(np.uint8, copy=False))
        at += 4 + size
    return found


def _packed(picture: Picture, quality: int) -> bytes:
    _, coded = cv2.imencode(".jpg", picture[..., ::-1], (cv2.IMWRITE_JPEG_QUALITY, quality))
    return struct.pack(">I", len(coded)) + coded.tobytes()

"""Small pictures of a moment: WebP of a bounded size."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

SIDE = 256  # pixels of the longer one
MAX_BYTES = 12_000  # of one
QUALITIES = (70, 50, 30, 10, 1)
STRIP = 6  # of one moment and side


def webp(picture: NDArray[np.uint8]) -> bytes:
    """A picture (H, W, 3) RGB as WebP of at most 12 kB; noise that compresses badly is made smaller until it fits."""
    side = SIDE
    while True:
        scale = side / max(picture.shape[:2])
        size = max(1, round(picture.shape[1] * scale)), max(1, round(picture.shape[0] * scale))
        small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
        for quality in QUALITIES:
            raw = cv2.imencode(".webp", cv2.cvtColor(small, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_WEBP_QUALITY, quality])[1]
            if raw.size <= MAX_BYTES:
                return raw.tobytes()
        side //= 2

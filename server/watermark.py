"""A small line of words in the corner of every styled frame."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
HEIGHT = 0.045  # of the picture's
OPACITY = 0.75
MAX_LENGTH = 60


def mark(picture: Picture, words: str) -> None:
    """Draw `words` (Latin letters) into the lower right corner of a picture (H, W, 3), in place; "" draws nothing."""
    if not words:
        return
    height, width = picture.shape[:2]
    ink, shade = _drawn(words, max(12, round(HEIGHT * height)), width)
    rows, columns = ink.shape[:2]
    corner = picture[height - rows :, width - columns :]
    corner[:] = np.where(ink, 255 * OPACITY + corner * (1 - OPACITY), np.where(shade, corner * 0.45, corner))


@lru_cache(maxsize=16)
def _drawn(words: str, size: int, width: int) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Where ink goes, and the shade around it that keeps it readable on white: (rows, columns, 1) each."""
    font, scale = cv2.FONT_HERSHEY_SIMPLEX, size / 34
    (wide, _), _ = cv2.getTextSize(words, font, scale, 1)
    canvas = np.zeros((2 * size, min(width, wide + size)), np.uint8)
    cv2.putText(canvas, words, (size // 2, round(1.3 * size)), font, scale, 255, max(1, size // 16), cv2.LINE_AA)
    ink = canvas > 96
    shade = cv2.dilate(canvas, np.ones((3, 3), np.uint8)) > 96
    return ink[..., None], shade[..., None]

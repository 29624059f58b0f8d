"""A bar with words at the bottom of the picture: reverie serve --effect client/examples/effects/subtitle_bar.py

Shows the look by its name; put what you like into `words`.
"""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

SHARE = 0.12  # of the picture's height


def words(ctx: Any) -> str:
    return str(ctx.prompt) or "no look: this is the camera"


def effect(frame: NDArray[np.uint8], ctx: Any) -> None:
    """Args: frame: (H, W, 3) uint8 RGB, changed in place."""
    height, width = frame.shape[:2]
    bar = frame[height - round(SHARE * height) :]
    bar[:] = bar // 4
    text = words(ctx).encode("ascii", "replace").decode()[:80]  # OpenCV's letters
    (wide, _), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, 1, 1)
    scale = min(len(bar) / 55, 0.94 * width / max(wide, 1))
    (wide, tall), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, 1)
    where = (width - wide) // 2, round((len(bar) + tall) / 2)
    drawn = np.ascontiguousarray(bar)
    cv2.putText(drawn, text, where, cv2.FONT_HERSHEY_SIMPLEX, scale, (255, 255, 255), 1, cv2.LINE_AA)
    bar[:] = drawn

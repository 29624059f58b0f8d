"""What hardly changes in front of the camera hardly changes on the screen: a filter over time for pictures made singly.

nano's pictures shimmer where the source moves by less than sensor noise.  Each new picture is drawn towards the one
shown before where the source is nearly the same; where it moves, at cuts and with another look nothing is held.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from reverie.models.stream import Frames

REST, MOVED = 2.0, 8.0  # levels of 255, the largest channel, mean of 5 x 5 pixels: below held most, above not at all
HELD = 0.7  # share of what was shown before where the source rests: a lag of two frames


class Steady:
    """The filter of one stream."""

    def __init__(self) -> None:
        self._source: Frames | None = None
        self._shown: NDArray[np.float32] | None = None

    def __call__(self, source: Frames, made: Frames) -> Frames:
        """What to show.  Args: source, made: (H, W, 3), what the camera saw and what became of it."""
        now = made.astype(np.float32)
        if self._source is not None and self._shown is not None and self._source.shape == source.shape:
            apart = cv2.absdiff(source, self._source)
            most = cv2.max(cv2.max(apart[..., 0], apart[..., 1]), apart[..., 2])
            share = HELD * np.clip((MOVED - cv2.blur(most.astype(np.float32), (5, 5))) / (MOVED - REST), 0, 1)
            now += cv2.merge((share, share, share)) * (self._shown - now)
        self._source, self._shown = source.copy(), now
        return np.asarray(now + 0.5, np.uint8)

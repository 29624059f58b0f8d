"""A model that ran out of memory paints smaller pictures from then on, and says so.  Frames (T, H, W, 3) uint8 RGB."""

from __future__ import annotations

import logging
from collections.abc import Callable

import cv2
import numpy as np
import torch

from reverie.models.diffusion import memory
from reverie.models.stream import Frames

log = logging.getLogger(__name__)
MOST = 4  # by so much sides are divided at most


class Smaller:
    """How small one model paints, for all of its streams.  By the thread alone that steps them."""

    def __init__(self, name: str) -> None:
        self.name, self.by = name, 1

    @property
    def said(self) -> str:
        """Of a model that ran out of memory; "" of one that did not."""
        return f"at 1/{self.by} of its sides: memory ran out" if self.by > 1 else ""

    def counts(self) -> dict[str, int]:
        return {"memory_shortages": self.by.bit_length() - 1}

    def paint(self, frames: Frames, make: Callable[[Frames], Frames], forget: Callable[[], None]) -> Frames:
        """What `make` makes of the frames; out of memory, of frames with half the sides, until it fits.

        Args: make: is given frames and returns as many of their size.  forget: drops what a failed `make` left behind.
        Raises: RuntimeError if memory runs out for a quarter of the sides; whatever else `make` raises.
        """
        while True:
            try:
                return resized(make(self._shrunk(frames)), *frames.shape[1:3])
            except (RuntimeError, MemoryError) as error:
                forget()
                if not memory.ran_out(error):
                    raise
            self._more()  # with the failed step's tensors gone

    def _shrunk(self, frames: Frames) -> Frames:
        height, width = (max(16, side // self.by // 16 * 16) if self.by > 1 else side for side in frames.shape[1:3])
        return resized(frames, height, width)

    def _more(self) -> None:
        if self.by >= MOST:
            raise RuntimeError("out of memory at a quarter of the picture's sides")
        self.by *= 2
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        log.warning("%s ran out of memory: it renders at 1/%d of the picture's sides from now on", self.name, self.by)


def resized(frames: Frames, height: int, width: int) -> Frames:
    """The frames themselves if they have that size."""
    if frames.shape[1:3] == (height, width):
        return frames
    way = cv2.INTER_AREA if height * width < frames.shape[1] * frames.shape[2] else cv2.INTER_CUBIC
    return np.stack([cv2.resize(frame, (width, height), interpolation=way) for frame in frames])

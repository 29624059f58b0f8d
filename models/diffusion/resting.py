"""Per-token skip in a causal video transformer: places that rested for a whole chunk keep what was last made of them.

A place is a token's square of the picture; they are counted row by row.  A chunk has a token for each place and latent.
Tokens that are made see the others in the ring, where the chunk before lies: that costs no memory of its own.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from reverie.models.diffusion.tokens import apart, chosen
from reverie.models.stream import Frames

REFRESH = 8  # chunks, after which all tokens are made, so that nothing old stays


class Resting:
    """Of one stream, from its first frame on, which stands still for a chunk."""

    def __init__(self, frame: Frames, side: int, levels: float) -> None:
        """Args: frame: (H, W, 3), sides are multiples of `side`, pixels of a place; levels: of 255, by which it must
        differ to be made again."""
        self.side, self.levels = side, levels
        self.made = frame.copy()  # each place as it was when it was last made
        self.most = apart(frame, frame, side)  # how much each differed at most in this chunk
        self.still = np.ones_like(self.most, bool)  # where it did not in the chunk before
        self.age = 0  # chunks since all were made

    def see(self, frame: Frames) -> None:
        """A frame of the chunk that is gathered."""
        np.maximum(self.most, apart(frame, self.made, self.side), out=self.most)

    def chunk(self, last: Frames, anew: bool) -> NDArray[np.int64] | None:
        """The chunk is complete.

        A place that has just come to rest is made once more: what was made of it before still moves.

        Args: last: its last frame.  anew: all are to be made.
        Returns: places to make; None for all of them.
        """
        loud = cv2.dilate((self.most > self.levels).astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool)
        places = chosen(self.most, loud | ~self.still)
        self.still, self.age = ~loud, self.age + 1
        if anew or self.age >= REFRESH or len(places) == loud.size:
            places, self.age = np.arange(loud.size), 0
        fresh = np.zeros(loud.size, bool)
        fresh[places] = True
        pixels = fresh.reshape(loud.shape).repeat(self.side, 0).repeat(self.side, 1)
        self.made = np.where(pixels[..., None], last, self.made)
        self.most = np.zeros_like(self.most)
        return None if fresh.all() else places

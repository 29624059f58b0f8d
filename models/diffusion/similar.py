"""When a frame is so like the one before that it need not be made again."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

LONGEST = 10  # frames left out in a row


class Filter:
    """Leaves out frames by chance, the likelier the more alike (StreamDiffusion's filter, arXiv 2312.12491, 3.5).

    Theirs compares by cosine, which calls any two bright pictures alike; ours by the root mean square difference in
    levels of 255, the unit of our setting `skip`.  Chance comes from the stream's seed.
    """

    def __init__(self, levels: float, seed: int) -> None:
        """Args: levels: from here on a frame is always made; 0 makes every frame."""
        self.levels, self.seed, self.frame, self.row = levels, seed, 0, 0
        self.made: NDArray[np.uint8] | None = None

    def skips(self, picture: NDArray[np.uint8]) -> bool:
        self.frame += 1
        if self.made is not None and self.made.shape == picture.shape and self.row < LONGEST and self.levels > 0:
            apart = cv2.norm(picture, self.made) / picture.size**0.5
            chance = np.random.Generator(np.random.Philox([self.seed, self.frame])).random()
            if chance < 1 - apart / self.levels:
                self.row += 1
                return True
        self.row, self.made = 0, picture.copy()
        return False

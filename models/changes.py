"""Which part of a picture is worth making again: cells of 16 x 16 pixels that differ from when they were last made."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from reverie.kernels import _cpu
from reverie.models.stream import Frames

CELL = 16
SAMPLES = 24  # bytes of a 4 x 4 part, every other row, over which differences are averaged: noise does not count
HOLD = (
    5  # frames that a cell is made from its last change on: each of two blocks recalls two frames, then nothing is new
)
MOSTLY = 0.8  # share of cells that moved: then all are made
REST = 0.5  # of the threshold: less than this is rest


class Changes:
    """Change mask with hysteresis of one stream of frames of one size."""

    def __init__(self, frame: Frames, threshold: float) -> None:
        """Args: frame: (Y, X, 3), the first, which is made whole.  threshold: in levels of 255; 0 is exact."""
        rows, columns = frame.shape[0] // CELL, frame.shape[1] // CELL
        self.threshold = threshold
        self._seen = frame.copy()  # each cell as it was when it was last made
        self._most = np.zeros((rows, columns), np.int32)
        self._left = np.full((rows, columns), HOLD)  # frames that each cell will still be made

    def __call__(self, frame: Frames) -> NDArray[np.uint8]:
        """Cells to make, (Y / 16, X / 16) of 0 and 1, for the next frame.

        With threshold 0 all or none: none once the same picture has come HOLD times, when making it again would
        change nothing.
        """
        if self.threshold == 0:
            same = np.array_equal(frame, self._seen)
            self._left[:] = np.maximum(self._left - 1, 0) if same else HOLD
            made = self._left > 0
        else:
            _cpu.changes(frame, self._seen, self._most)
            moved = self._most > self.threshold * SAMPLES
            if moved.mean() > MOSTLY:
                self._left[:] = HOLD
                self._seen[:] = frame
                return np.ones_like(moved, np.uint8)
            restless = (self._left > 0) & (self._most > self.threshold * SAMPLES * REST)
            self._left = np.where(moved | restless, HOLD, np.maximum(self._left - 1, 0))
            made = _spread(self._left > 0)
        if made.all():
            self._seen[:] = frame
            return made.astype(np.uint8)
        pixels = lambda picture: picture.reshape(len(made), CELL, made.shape[1], CELL * 3).swapaxes(1, 2)
        pixels(self._seen)[made] = pixels(frame)[made]
        return made.astype(np.uint8)


def _spread(cells: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """With their eight neighbours: what a layer sees of a changed cell."""
    wide = np.pad(cells, 1)
    down = wide[:-2] | wide[1:-1] | wide[2:]
    spread: NDArray[np.bool_] = down[:, :-2] | down[:, 1:-1] | down[:, 2:]
    return spread

"""How long the model may take before the camera is shown instead."""

from __future__ import annotations

import statistics
from collections import deque

STALL_S = 0.2  # without a styled frame for so long a model that keeps up has stalled; the camera is shown within 250 ms
LONGEST_S = 1.0  # that is waited for any model


class Pace:
    """Follows when frames come from a model.  Times are seconds of any clock.

    A model that needs 0.3 s a frame has not stalled.  With one limit for all its every frame would be older than the
    camera's that was shown meanwhile, and none of them would ever be seen.
    """

    def __init__(self) -> None:
        self._between: deque[float] = deque(maxlen=9)
        self._last: float | None = None

    def made(self, now: float) -> None:
        """A frame came."""
        if self._last is not None:
            self._between.append(now - self._last)
        self._last = now

    def begin(self) -> None:
        """The model starts anew; the time since its last frame says nothing."""
        self._last = None

    @property
    def limit_s(self) -> float:
        """Two of the model's usual intervals: one stall among quick frames does not change it."""
        usual = statistics.median(self._between) if len(self._between) >= 3 else 0.0
        return min(max(STALL_S, 2 * usual), LONGEST_S)

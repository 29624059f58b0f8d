"""When a frame was taken, on one clock for picture and sound."""

from __future__ import annotations

from collections import deque
from statistics import median

import av

LEAK = 0.0005  # seconds a second: what clocks may drift, and what a longer way may add
JUMP_S = 1.0  # a source that is so far from its own clock has started anew


class SourceClock:
    """Turns a source's own times into seconds of this machine's monotonic clock.

    A frame comes late by its way, and sometimes by a queue; what came soonest tells how the clocks lie.  So both
    picture and sound are placed by when they were taken, not by which packet was held up.
    """

    def __init__(self) -> None:
        self._offset: float | None = None
        self._at = 0.0

    def arrived(self, source_s: float, now: float) -> float:
        """When a frame with the time `source_s` was taken; it arrives `now`."""
        offset = now - source_s
        if self._offset is None or abs(offset - self._offset) > JUMP_S:
            self._offset = offset
        else:
            self._offset = min(offset, self._offset + LEAK * (now - self._at))
        self._at = now
        return self.time(source_s)

    def time(self, source_s: float) -> float:
        """As `arrived`, for a frame that came before; 0 if none ever came."""
        return 0.0 if self._offset is None else source_s + self._offset

    def source_s(self, taken: float) -> float:
        """What the source's own clock said when something was taken elsewhere; the other way round than `time`."""
        return taken - (self._offset or 0.0)


class Lag:
    """How far the picture that goes out lies behind the one that came in, as sound should follow it.

    The median of the last frames, approached by at most `STEP_S` a frame: a jump would be heard.
    """

    STEP_S = 0.001

    def __init__(self) -> None:
        self._last: deque[float] = deque(maxlen=31)
        self.seconds = 0.0

    def shown(self, lag_s: float) -> None:
        self._last.append(max(0.0, lag_s))
        wanted = median(self._last)
        if len(self._last) < self._last.maxlen // 2:  # type: ignore[operator]
            self.seconds = wanted
        else:
            self.seconds += max(-self.STEP_S, min(self.STEP_S, wanted - self.seconds))


def seconds(frame: av.VideoFrame | av.AudioFrame) -> float:
    """Its time by its source's clock."""
    return float(frame.pts * frame.time_base) if frame.pts is not None and frame.time_base is not None else 0.0

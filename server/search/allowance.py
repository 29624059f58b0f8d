"""How much processor time a thread may still take: a share of the machine's, saved up and owed for a second at most."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

MOST_S = 1.0  # that the thread's time may be behind or ahead of its share


class Allowance:
    """For one thread, which asks itself; others that run meanwhile are not counted."""

    def __init__(
        self, share: float, now: Callable[[], float] = time.monotonic, used: Callable[[], float] = time.thread_time
    ) -> None:
        """Args: share: of all processors that this process may use, 0 to 1.  now, used: in seconds."""
        processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        self._rate, self._now, self._used = share * processors, now, used
        self._saved, self._before = 0.0, (now(), 0.0)

    def is_left(self) -> bool:
        """Whether the thread has taken less than its share."""
        now, used = self._now(), self._used()
        saved = self._saved + self._rate * (now - self._before[0]) - (used - self._before[1])
        self._saved, self._before = max(-MOST_S, min(MOST_S * self._rate, saved)), (now, used)
        return self._saved > 0

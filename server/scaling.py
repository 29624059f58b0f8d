"""How many nodes a fleet should have: pure arithmetic over who waits and who is served."""

from __future__ import annotations

import math
from dataclasses import dataclass

FULL = 0.75  # share of the places that a smaller fleet may have in use


@dataclass(frozen=True, slots=True)
class Seen:
    """A fleet at one time."""

    nodes: int  # that take sessions
    coming: int  # that are being started
    slots: int  # places of one node
    sessions: int
    waiting: int  # clients in line


class Scaler:
    """Grows at once by as many nodes as the line needs, shrinks by one after a quiet time, within bounds."""

    def __init__(self, least: int, most: int, patience_s: float) -> None:
        """Raises ValueError unless 1 <= least <= most."""
        if not 1 <= least <= most:
            raise ValueError(f"a fleet needs 1 node or more, and at most as many as its limit; got {least} and {most}")
        self.least, self.most, self._patience_s = least, most, patience_s
        self._quiet_since: float | None = None

    def wanted(self, seen: Seen, now: float) -> int:
        """Nodes that there should be.  Args: now: seconds, of any clock."""
        have = seen.nodes + seen.coming
        roomy = not seen.waiting and seen.sessions <= FULL * (have - 1) * seen.slots
        if not roomy or have <= self.least:
            self._quiet_since = None
        elif self._quiet_since is None:
            self._quiet_since = now
        elif now - self._quiet_since >= self._patience_s:
            self._quiet_since = now
            have -= 1
        grown = seen.nodes + math.ceil(seen.waiting / seen.slots) if seen.waiting else 0
        return min(max(have, grown, self.least), self.most)

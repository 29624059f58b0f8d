"""How well the model paints: as well as this machine sustains, chosen at the start and followed while it runs.

Cheaper rungs make less of a picture again first (tiles), then smaller pictures; below the last one the rate falls by
itself, for the newest frame wins.  The model of time is plain: a turn takes as long as its pictures are large.
"""

from __future__ import annotations

import statistics
from collections import deque
from dataclasses import dataclass

from reverie.server.sizing import MAX_AREA, asked

BUDGET_S = 0.04  # of a turn of the engine, in which each session gets a frame: 25 a second
ROOM = 0.8  # of the budget: a better rung must be expected to need no more
FEW, MANY = 12, 48  # turns that bring it down, and up
WAIT_S, LONGEST_WAIT_S = 4.0, 120.0  # before it goes up; twice as long each time that it had to come down again
PROVED_S = 60.0  # that a better rung holds, to have been right
SPARED = 0.7  # of the time, where only what changed twice as much is made again (a face before a wall: 0.5)


@dataclass(frozen=True, slots=True)
class Rung:
    """One way to make pictures."""

    area: float  # share of the largest picture's
    patience: float  # times the change at which a part of a picture is made again

    @property
    def cost(self) -> float:
        """Share of the best rung's time, as far as that is known beforehand."""
        return self.area * (SPARED if self.patience > 1 else 1.0)


RUNGS = (  # 512x288 whole and with more patience, then 448x240, 384x208, 320x176, 256x144
    Rung(1.0, 1.0), Rung(1.0, 2.0), Rung(0.766, 2.0), Rung(0.5625, 2.0), Rung(0.391, 2.0), Rung(0.25, 2.0),
)  # fmt: skip


class Ladder:
    """Which rung is right now.  Times are seconds of any clock."""

    def __init__(self, render: str = "") -> None:
        """Args: render: "512x288" stays at that area whatever it takes; "" follows the machine.  Raises: ValueError."""
        width, height = asked(render) if render else (MAX_AREA, 1)
        self.largest, self.fixed = width * height, bool(render)
        self.number = 0  # of the rung, 0 is best
        self.busy = False  # whether the last turns took too long
        self._turns: deque[float] = deque(maxlen=MANY)
        self._moved_at, self._rose, self._wait_s = float("-inf"), False, WAIT_S

    @property
    def rung(self) -> Rung:
        return RUNGS[self.number]

    @property
    def area(self) -> int:
        """Pixels of a picture, at most."""
        return int(self.largest * self.rung.area)

    def begin(self, step_s: float) -> None:
        """Start at the rung that a step of the best one, in `step_s` seconds, lets hope for."""
        if not self.fixed:
            self.number = _sustained(step_s, 0)

    def took(self, turn_s: float, now: float) -> bool:
        """Learn how long a turn took; whether it goes on at another rung."""
        self._turns.append(turn_s)
        few = statistics.median(list(self._turns)[-FEW:])
        self.busy = few > BUDGET_S
        if self.fixed:
            return False
        if len(self._turns) >= FEW and self.busy and self.number < len(RUNGS) - 1:
            falls = self._rose and now - self._moved_at < PROVED_S
            self._wait_s = min(2 * self._wait_s, LONGEST_WAIT_S) if falls else WAIT_S
            best = few / self.rung.cost
            self._move(1 if self.number == 0 else _sustained(best, self.number + 1), now)
            return True
        if len(self._turns) == MANY and self.number and now - self._moved_at >= self._wait_s:
            usual = statistics.quantiles(self._turns, n=4)[2]
            if usual * RUNGS[self.number - 1].cost / self.rung.cost <= ROOM * BUDGET_S:
                self._move(self.number - 1, now)
                return True
        return False

    def _move(self, number: int, now: float) -> None:
        self._rose, self._moved_at, self.number = number < self.number, now, number
        self._turns.clear()


def _sustained(best_s: float, first: int) -> int:
    """The best rung from `first` on that is expected within the budget, where the best of all takes `best_s`."""
    return next((n for n in range(first, len(RUNGS)) if best_s * RUNGS[n].cost <= BUDGET_S), len(RUNGS) - 1)

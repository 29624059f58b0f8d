"""Which rung of the ladder a machine gets, from the times of its turns alone."""

import itertools
import random

import pytest

from reverie.server.ladder import BUDGET_S, LONGEST_WAIT_S, RUNGS, WAIT_S, Ladder
from reverie.server.sizing import MAX_AREA, render_size


class Machine:
    """Turns on a machine that needs a time for a whole picture of the best rung."""

    def __init__(self, whole_s: float, ladder: Ladder | None = None, noise: float = 0.0) -> None:
        self.whole_s, self.ladder, self.noise = whole_s, ladder or Ladder(), noise
        self.now, self.moves = 0.0, [self.at]
        self.random = random.Random(1)

    @property
    def at(self) -> tuple[float, int]:
        return getattr(self, "now", 0.0), self.ladder.number

    def run(self, seconds: float) -> int:
        """Frames come 30 times a second; returns the rung that it ends at."""
        end = self.now + seconds
        while self.now < end:
            turn_s = self.whole_s * self.ladder.rung.cost * self.random.lognormvariate(0, self.noise)
            self.now += max(turn_s, 1 / 30)
            if self.ladder.took(turn_s, self.now):
                self.moves.append(self.at)
        return self.ladder.number


def test_the_rungs_are_patience_first_and_then_smaller_pictures() -> None:
    sizes = [render_size(512, 288, int(MAX_AREA * rung.area)) for rung in RUNGS]
    assert sizes == [(512, 288), (512, 288), (448, 240), (384, 208), (320, 176), (256, 144)]
    assert [rung.cost for rung in RUNGS] == sorted((rung.cost for rung in RUNGS), reverse=True)


@pytest.mark.parametrize(
    ("whole_s", "rung"), [(0.01, 0), (0.05, 1), (0.07, 2), (0.1, 3), (0.14, 4), (0.2, 5), (3.0, 5)]
)
def test_it_begins_at_the_best_rung_within_the_budget(whole_s: float, rung: int) -> None:
    ladder = Ladder()
    ladder.begin(whole_s)
    assert ladder.number == rung


def test_a_machine_that_slows_down_is_followed_within_two_seconds_and_back_later() -> None:
    machine = Machine(0.02)
    assert machine.run(10) == 0
    machine.whole_s = 0.1
    assert machine.run(2) == 3
    machine.whole_s = 0.02
    assert machine.run(WAIT_S - 2.5) == 3
    assert machine.run(5 * WAIT_S) == 0


def test_one_turn_that_takes_long_changes_nothing() -> None:
    machine = Machine(0.02)
    machine.run(5)
    for _ in range(3):
        machine.ladder.took(2.0, machine.now)
        machine.run(1)
    assert machine.ladder.number == 0


def test_noise_moves_it_rarely() -> None:
    """Whatever the machine, with turns that vary by a third: at most seven moves in five minutes."""
    for whole_s in (0.03, 0.04, 0.05, 0.057, 0.07, 0.1, 0.13):
        machine = Machine(whole_s, noise=0.3)
        machine.run(20)
        machine.moves.clear()
        machine.run(300)
        assert len(machine.moves) <= 7, (whole_s, machine.moves)


def test_a_better_rung_that_fails_is_tried_ever_more_rarely() -> None:
    """Pictures whose time does not fall with their size deceive the model of time."""
    ladder, now, rises = Ladder(), 0.0, []
    ladder.number = 2
    while now < 900:
        turn_s = 0.02 if ladder.number >= 2 else 0.05
        now += max(turn_s, 1 / 30)
        before = ladder.number
        if ladder.took(turn_s, now) and ladder.number < before:
            rises.append(now)
    between = [b - a for a, b in itertools.pairwise(rises)]
    assert between[0] < 3 * WAIT_S and between[-1] > 0.9 * LONGEST_WAIT_S


def test_an_asked_size_stays_whatever_it_takes() -> None:
    ladder = Ladder("256x144")
    ladder.begin(10.0)
    assert not any(ladder.took(1.0, float(n)) for n in range(100))
    assert (ladder.number, ladder.area) == (0, 256 * 144)
    with pytest.raises(ValueError, match="multiples of 16"):
        Ladder("250x144")


def test_the_budget_is_more_than_twenty_frames_a_second() -> None:
    assert 1 / BUDGET_S >= 24


@pytest.mark.parametrize("render", ["", "512x288"])
def test_a_device_is_busy_while_its_turns_take_too_long(render: str) -> None:
    ladder = Ladder(render)
    machine = Machine(1.0, ladder)
    machine.run(20)
    assert ladder.busy
    machine.whole_s = 0.01
    machine.run(2)
    assert not ladder.busy

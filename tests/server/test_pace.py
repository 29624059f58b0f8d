"""Patience: a slow model is not a stalled one."""

import pytest

from reverie.server.pace import LONGEST_S, STALL_S, Pace


def paced(intervals: list[float]) -> Pace:
    pace, now = Pace(), 0.0
    pace.made(now)
    for each in intervals:
        now += each
        pace.made(now)
    return pace


def test_a_model_that_keeps_up_has_the_shortest_patience() -> None:
    assert Pace().limit_s == STALL_S
    assert paced([1 / 30] * 20).limit_s == STALL_S


def test_a_slow_model_gets_two_of_its_intervals_but_not_for_ever() -> None:
    assert paced([0.3] * 5).limit_s == pytest.approx(0.6)
    assert paced([3.0] * 5).limit_s == LONGEST_S


def test_one_stall_among_quick_frames_changes_nothing() -> None:
    assert paced([1 / 30] * 5 + [1.5] + [1 / 30] * 5).limit_s == STALL_S


def test_a_pause_between_two_looks_is_no_interval() -> None:
    pace = paced([0.05] * 3)
    for now in (10.0, 20.0, 30.0, 40.0, 50.0):
        pace.begin()
        pace.made(now)
    assert pace.limit_s == STALL_S

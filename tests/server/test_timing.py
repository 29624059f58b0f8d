"""One clock for picture and sound."""

import random

import pytest

from reverie.server.timing import JUMP_S, LEAK, Lag, SourceClock


def test_a_packet_that_was_held_up_does_not_move_its_frame() -> None:
    clock, chance = SourceClock(), random.Random(1)
    taken = [clock.arrived(500 + n / 30, 100 + n / 30 + chance.choice((0.01, 0.013, 0.4))) for n in range(300)]
    assert all(abs(at - (100.01 + n / 30)) < 0.005 for n, at in enumerate(taken) if n > 10)


def test_a_drifting_source_is_followed() -> None:
    clock, drift = SourceClock(), LEAK / 5
    for second in range(3600):
        at = clock.arrived(second * (1 - drift), float(second))
    assert at == pytest.approx(3599, abs=0.01)


def test_a_source_that_starts_anew_is_placed_anew() -> None:
    clock = SourceClock()
    clock.arrived(1000.0, 5.0)
    assert clock.arrived(0.0, 6.0) == 6.0
    assert clock.arrived(JUMP_S / 2, 6.0 + JUMP_S / 2) == pytest.approx(6.0 + JUMP_S / 2)


def test_a_moment_has_its_time_by_the_sources_clock() -> None:
    clock = SourceClock()
    assert clock.source_s(7.0) == 7.0
    taken = clock.arrived(500.0, 100.0)
    assert clock.source_s(taken + 0.25) == pytest.approx(500.25)


def test_before_any_frame_there_is_no_time() -> None:
    assert SourceClock().time(3.0) == 0.0


def test_the_lag_follows_slowly_and_does_not_mind_one_slow_frame() -> None:
    lag = Lag()
    for _ in range(40):
        lag.shown(0.05)
    assert lag.seconds == pytest.approx(0.05)
    lag.shown(2.0)
    assert lag.seconds == pytest.approx(0.05)
    before = lag.seconds
    for _ in range(200):
        lag.shown(0.12)
        assert 0 <= lag.seconds - before <= Lag.STEP_S + 1e-9
        before = lag.seconds
    assert lag.seconds == pytest.approx(0.12)

"""Rate control on a modelled link: a queue of bounded length in front of a wire of a given rate."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reverie.client.rate import (
    BURST_S,
    CEILING,
    FLOOR,
    SILENCE_FLOOR,
    SILENCE_S,
    SLACK,
    START,
    START_NEAR,
    Budget,
    RateControl,
)

QUEUE_S = 0.4  # that a full queue of the link takes to empty


def play(control: RateControl, capacity: float, seconds: int, at: float = 0.0) -> list[float]:
    """The rates of a modelled visit with one report a second."""
    rates, queue = [], 0.0  # bits
    for second in range(seconds):
        sent = float(control.bitrate)
        queue += sent - capacity
        lost = max(0.0, queue - QUEUE_S * capacity)
        queue = min(max(0.0, queue), QUEUE_S * capacity)
        control.report(at + second, lost / sent, sent, 0.02 + queue / capacity)
        rates.append(control.bitrate)
    return rates


@pytest.mark.parametrize("start", [START, START_NEAR])
@pytest.mark.parametrize("capacity", [300_000, 600_000, 1_200_000, 3_000_000])
def test_the_rate_comes_below_what_a_link_takes_within_five_reports_and_stays_near_it(
    start: int, capacity: int
) -> None:
    rates = play(RateControl(start), capacity, 60)
    assert min(rates[4:9]) < 1.05 * capacity
    settled = rates[20:]
    assert 0.5 * capacity < sum(settled) / len(settled) < 1.05 * capacity


def test_a_good_link_is_used_to_the_ceiling_soon() -> None:
    assert play(RateControl(), 50e6, 10)[-1] == CEILING


def test_a_link_that_recovers_is_used_again() -> None:
    control = RateControl()
    play(control, 400_000, 10)
    assert control.bitrate < 450_000
    assert play(control, 50e6, 25, at=10)[-1] > 1_200_000


def test_little_loss_and_jitter_change_nothing() -> None:
    control = RateControl()
    for second in range(20):
        control.report(second, 0.03, control.bitrate, 0.02 + 0.01 * (second % 3))
    assert control.bitrate == CEILING


def test_the_receivers_estimate_is_an_upper_bound() -> None:
    control = RateControl()
    control.bound(700_000)
    assert control.bitrate == 700_000
    control.bound(10_000_000)
    assert control.bitrate == START


def test_of_a_still_picture_neither_the_estimate_nor_a_longer_round_trip_tells_anything() -> None:
    control = RateControl()
    for second in range(10):
        control.report(second, 0.0, 10_000, 0.02 if second < 5 else 0.4)
        control.bound(60_000)
    assert control.bitrate == START
    control.report(10, 0.0, START, 0.02)
    control.bound(60_000)
    assert control.bitrate == 60_000
    control.report(11, 0.0, 60_000, 0.02)  # bound so, it is used
    control.bound(60_000)
    assert control.bitrate == 60_000


def test_what_was_not_sent_is_no_sign_of_room() -> None:
    control = RateControl()
    for second in range(20):
        control.report(second, 0.0, 100_000, 0.02)
    assert control.bitrate == START


def test_a_start_counts_only_before_the_first_report() -> None:
    control = RateControl()
    control.begin(START_NEAR)
    assert control.bitrate == START_NEAR
    control.report(0, 0.0, START_NEAR, 0.02)
    control.begin(100_000)
    assert control.bitrate == START_NEAR


@given(
    st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1e8), st.none() | st.floats(0, 10)), max_size=50),
    st.integers(0, 10**9),
)
def test_whatever_is_reported_the_rate_stays_in_bounds(
    reports: list[tuple[float, float, float | None]], remb: int
) -> None:
    control = RateControl()
    control.bound(remb)
    for now, (loss, sent, trip_s) in enumerate(reports):
        control.report(now, loss, sent, trip_s)
        assert FLOOR <= control.bitrate <= CEILING


def test_silence_halves_the_rate_and_words_bring_it_back() -> None:
    control = RateControl(START_NEAR)
    assert not control.silent(0.0) and not control.silent(SILENCE_S)
    assert control.silent(SILENCE_S + 0.1) and control.bitrate == START_NEAR // 2
    assert not control.silent(SILENCE_S + 0.2)
    for tenth in range(200):
        control.silent(3 + tenth / 10)
    assert control.bitrate == SILENCE_FLOOR
    for second in range(8):
        control.report(30 + second, 0.0, control.bitrate, 0.02)
    assert control.bitrate > 1_000_000


@given(st.lists(st.integers(1, 2_000_000), min_size=1, max_size=100), st.sampled_from([100_000, 1_000_000]))
def test_no_more_is_sent_than_the_rate_whatever_pictures_weigh(sizes: list[int], bitrate: int) -> None:
    budget, now, before = Budget(), 0.0, 0
    for bits in sizes:
        now += budget.wait_s(now, bitrate)
        assert before <= SLACK * bitrate * (now + BURST_S) + 1
        budget.spend(now, bits, bitrate)
        before += bits


def test_a_rate_that_is_kept_makes_nobody_wait() -> None:
    budget = Budget()
    for number in range(300):
        assert budget.wait_s(number / 30, 900_000) == 0.0
        budget.spend(number / 30, 30_000, 900_000)

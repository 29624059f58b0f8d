"""When a fleet grows and shrinks."""

import pytest

from reverie.server.scaling import Scaler, Seen


def seen(nodes: int = 2, coming: int = 0, sessions: int = 0, waiting: int = 0) -> Seen:
    return Seen(nodes, coming, 4, sessions, waiting)


@pytest.mark.parametrize(
    ("there", "wanted"),
    [
        (seen(0), 1), (seen(0, 1), 1), (seen(2, sessions=8), 2), (seen(2, sessions=8, waiting=1), 3),
        (seen(2, 1, sessions=8, waiting=4), 3), (seen(2, 1, sessions=8, waiting=5), 4), (seen(2, sessions=8, waiting=99), 5),
    ],
)  # fmt: skip
def test_it_grows_by_what_the_line_needs_and_counts_what_is_coming(there: Seen, wanted: int) -> None:
    assert Scaler(1, 5, 60).wanted(there, 0) == wanted


def test_it_shrinks_by_one_after_a_quiet_time_while_the_rest_keeps_a_quarter_free() -> None:
    scaler = Scaler(1, 5, 60)
    assert [scaler.wanted(seen(3, sessions=3), now) for now in (0, 59, 60)] == [3, 3, 2]
    assert [scaler.wanted(seen(2, sessions=3), now) for now in (61, 119, 120)] == [2, 2, 1]
    full = Scaler(1, 5, 60)
    assert [full.wanted(seen(2, sessions=4), now) for now in (0, 100)] == [2, 2]


def test_who_waits_begins_the_quiet_time_anew_and_the_least_stays() -> None:
    scaler = Scaler(2, 5, 60)
    assert scaler.wanted(seen(3), 0) == 3
    assert scaler.wanted(seen(3, waiting=1), 30) == 4
    assert [scaler.wanted(seen(3), now) for now in (40, 99, 100)] == [3, 3, 2]
    assert [scaler.wanted(seen(2), now) for now in (200, 300)] == [2, 2]


@pytest.mark.parametrize("bounds", [(0, 1), (3, 2)])
def test_bounds_that_cannot_be_are_refused(bounds: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match=f"got {bounds[0]} and {bounds[1]}"):
        Scaler(*bounds, 60)

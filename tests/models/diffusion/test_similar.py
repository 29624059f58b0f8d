"""Which frames are left out."""

import numpy as np

from reverie.models.diffusion.similar import LONGEST, Filter


def test_equal_frames_are_left_out_but_never_for_long() -> None:
    picture = np.full((16, 16, 3), 90, np.uint8)
    seen = Filter(2.0, 0)
    assert [seen.skips(picture) for _ in range(2 * LONGEST + 2)] == ([False] + [True] * LONGEST) * 2


def test_changed_frames_are_made_and_zero_makes_all() -> None:
    picture = np.full((16, 16, 3), 90, np.uint8)
    exact, seen = Filter(0.0, 0), Filter(2.0, 0)
    assert not any(exact.skips(picture) for _ in range(5))
    seen.skips(picture)
    assert not seen.skips(picture + 2)


def test_the_more_alike_the_likelier_and_a_seed_repeats_it() -> None:
    def left_out(levels: int, seed: int) -> int:
        seen, base = Filter(8.0, seed), np.full((16, 16, 3), 90, np.uint8)
        return sum(seen.skips(base + (n % 2) * levels) for n in range(400))

    assert left_out(1, 0) > left_out(4, 0) > left_out(7, 0) > 0
    assert left_out(4, 1) == left_out(4, 1)

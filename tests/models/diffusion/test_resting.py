"""Which places of a video rest."""

import numpy as np

from reverie.models.diffusion.resting import REFRESH, Resting


def rested(rest: Resting, *frames: np.ndarray) -> list[int] | None:
    for frame in frames:
        rest.see(frame)
    places = rest.chunk(frames[-1], anew=False)
    return None if places is None else places.tolist()


def test_a_place_is_made_until_it_rested_for_a_whole_chunk() -> None:
    still = np.full((128, 128, 3), 90, np.uint8)
    moved = still.copy()
    moved[36:44, 36:44] = 200  # in place (2, 2) of 8 x 8
    rest = Resting(still, 16, 4.0)
    around = {row * 8 + column for row in (1, 2, 3) for column in (1, 2, 3)}
    assert rest.chunk(still, anew=True) is None
    assert rested(rest, still, still) == []
    there = rested(rest, still, moved)
    assert there is not None and around <= set(there) and len(there) < 64
    again = rested(rest, moved, moved)  # at rest now, but what was made of it still moves
    assert again is not None and around <= set(again) and len(again) < 64
    assert rested(rest, moved, moved) == []
    assert rested(rest, 255 - still) is None


def test_nothing_is_kept_for_long() -> None:
    still = np.full((64, 64, 3), 90, np.uint8)
    rest = Resting(still, 16, 4.0)
    rest.chunk(still, anew=True)
    found = [rested(rest, still) for _ in range(REFRESH)]
    assert found == [[]] * (REFRESH - 1) + [None]

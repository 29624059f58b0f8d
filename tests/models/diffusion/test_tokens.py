"""Which tokens are made anew."""

import numpy as np

from reverie.models.diffusion.tokens import PARTS, changed


def test_zero_makes_all_and_nothing_new_makes_none() -> None:
    frame = np.full((64, 128, 3), 90, np.uint8)
    assert len(changed(frame, frame, 0)) == 32
    assert len(changed(frame, frame, 4)) == 0
    assert len(changed(255 - frame, frame, 4)) == 32


def test_what_changed_and_its_neighbours_in_one_of_few_sizes() -> None:
    made = np.full((128, 128, 3), 90, np.uint8)
    frame = made.copy()
    frame[36:44, 36:44] = 200  # in token (2, 2)
    found = changed(frame, made, 4)
    assert len(found) % (64 // PARTS) == 0 and len(found) == 16
    assert {row * 8 + column for row in (1, 2, 3) for column in (1, 2, 3)} <= set(found.tolist())
    assert found.tolist() == sorted(found.tolist())

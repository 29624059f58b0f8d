"""Pictures as the kernel has them, and back."""

import numpy as np

from reverie.kernels.neuron.feed import LEVEL, cells, frame


def test_a_cell_is_a_column_of_corners_and_colours() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (6, 8, 3), np.uint8)
    made = cells(picture)
    assert made.shape == (16, 12) and (made[12:] == LEVEL).all()
    np.testing.assert_array_equal(made[:12, 5], picture[2:4, 2:4].reshape(12))
    np.testing.assert_array_equal(frame(made[:12], 6, 8), picture)

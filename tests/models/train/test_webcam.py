"""A cheap camera."""

import numpy as np

from reverie.models.train.webcam import SHARE, worse


def test_some_clips_are_made_worse_alike_in_all_frames() -> None:
    clip = np.random.default_rng(0).integers(0, 256, (1, 4, 4, 3), np.uint8).repeat(3, 0).repeat(8, 1).repeat(8, 2)
    rng, changed = np.random.default_rng(1), 0
    for _ in range(100):
        shown = worse(clip, rng)
        assert (shown.shape, shown.dtype) == (clip.shape, np.uint8)
        assert np.array_equal(shown[0], shown[2])
        changed += not np.array_equal(shown, clip)
        assert np.corrcoef(shown.ravel(), clip.ravel())[0, 1] > 0.5
    assert 100 * SHARE - 20 < changed < 100 * SHARE + 20

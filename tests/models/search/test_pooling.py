import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from reverie.models.search.pooling import is_cut, motion, pooled, sample
from reverie.models.search.space import unit


def waving(n: int) -> np.ndarray:
    """A bright arm before a grey wall, that swings."""
    picture = np.full((180, 320, 3), 90, np.uint8)
    x = int(160 + 60 * np.sin(n * 1.3))
    picture[40:140, x : x + 25] = 230
    return picture


def test_a_clip_and_its_frozen_frame_differ() -> None:
    clip = [sample(waving(n)) for n in range(5)]
    assert motion(clip) > 0.9
    assert motion([clip[0]] * 5) == 0


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_noise_and_light_are_no_motion(seed: int) -> None:
    rng = np.random.default_rng(seed)
    clip = [np.clip(waving(0) + rng.normal(0, 6, (180, 320, 3)) + 8 * n, 0, 255).astype(np.uint8) for n in range(5)]
    assert motion([sample(each) for each in clip]) < 0.25


def test_one_picture_does_not_move() -> None:
    assert motion([sample(waving(0))]) == 0 and motion([]) == 0


def test_another_scene_is_a_cut_and_motion_is_none() -> None:
    assert is_cut(sample(waving(0)), sample(np.full((180, 320, 3), 20, np.uint8)))
    assert not is_cut(sample(waving(0)), sample(waving(1)))


def test_motion_turns_a_vector_along_its_axis_and_keeps_its_length() -> None:
    rng = np.random.default_rng(0)
    seen, axis = unit(rng.standard_normal((3, 16)).astype(np.float32)), unit(rng.standard_normal(16).astype(np.float32))
    still, lively = pooled(seen, 0.0, axis), pooled(seen, 1.0, axis)
    assert lively @ axis > still @ axis + 0.3
    np.testing.assert_allclose([np.linalg.norm(still), np.linalg.norm(lively)], 1, atol=1e-5)

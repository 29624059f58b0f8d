"""The canvas: it moves with the scene, starts anew at a cut and stays where nothing moves."""

import numpy as np
import pytest

from reverie.models.nano import noise
from reverie.models.train.looks import LOOKS, paint
from reverie.models.train.looks.scene import Frame, frames

GRAIN = noise(0, 96, 128).numpy()[0]


def wide(seed: int = 0) -> np.ndarray:
    """A picture with texture everywhere, wider than a frame."""
    import cv2

    coarse = np.random.default_rng(seed).integers(0, 256, (24, 48, 3), np.uint8)
    return cv2.resize(coarse, (192, 96), interpolation=cv2.INTER_CUBIC)


def panning(count: int = 4, step: int = 3) -> np.ndarray:
    return np.stack([wide()[:, step * t : step * t + 128] for t in range(count)])


def inner(plane: np.ndarray) -> np.ndarray:
    return plane[16:80, 24:96]


def test_the_canvas_follows_the_scene() -> None:
    scene = frames(panning(), GRAIN)
    moved = inner(scene[3].u - scene[3].x)
    assert np.median(moved) == pytest.approx(9, abs=1)
    assert np.abs(inner(scene[3].v - scene[3].y)).mean() < 0.5


def test_nothing_moves_in_a_still_scene_or_after_a_cut() -> None:
    still = frames(np.stack([panning()[0]] * 3), GRAIN)
    assert all(np.array_equal(f.u, f.x) and np.array_equal(f.v, f.y) for f in still)
    cut = frames(panning(), GRAIN, cuts=(2,))
    assert np.array_equal(cut[2].u, cut[2].x)
    assert np.median(inner(cut[3].u - cut[3].x)) == pytest.approx(3, abs=0.5)


@pytest.mark.parametrize("look", ["pencil", "impasto", "mosaic", "charcoal", "halftone", "woodcut", "engraving"])
def test_patterns_stick_to_the_moving_scene(look: str) -> None:
    """Moved back by the camera's move, a later frame shows the same marks: much nearer than with a fixed canvas."""
    clip = panning()
    shown = paint(look, frames(clip, GRAIN)).astype(int)
    fixed = paint(look, [Frame(frame, GRAIN, np.zeros((96, 128, 2), np.float32)) for frame in clip]).astype(int)
    apart = lambda x: np.abs(x[3, 16:80, 24:96] - x[0, 16:80, 33:105]).mean()
    assert apart(shown) < 0.75 * apart(fixed)


def test_grain_is_normal_whatever_its_size() -> None:
    (frame,) = frames(panning(1), noise(1, 96, 128).numpy()[0])
    for sigma in (0.7, 1.0, 3.0):
        assert frame.grain(sigma).std() == pytest.approx(1, abs=0.3)


def test_every_look_has_its_own_seed_or_none() -> None:
    """Looks with a grain follow the seed, the others ignore it; a few of each, so that neither list is empty."""
    frame, other = (frames(panning(1), noise(seed, 96, 128).numpy()[0]) for seed in (0, 1))
    follow = {look for look in LOOKS if not np.array_equal(paint(look, frame), paint(look, other))}
    assert {"pencil", "impasto", "mosaic", "woodcut", "super8", "stained_glass"} <= follow
    assert {"original", "golden_hour", "pixel_art", "thermal", "cartoon"} & follow == set()

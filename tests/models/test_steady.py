"""The filter over time: it calms what rests and leaves alone what moves."""

import numpy as np

from reverie.models.steady import Steady

RNG = np.random.default_rng(0)
SCENE = RNG.integers(0, 256, (32, 48, 3), np.uint8)


def shimmer(count: int) -> list[np.ndarray]:
    return [np.clip(120 + RNG.normal(0, 12, SCENE.shape), 0, 255).astype(np.uint8) for _ in range(count)]


def test_what_shimmers_before_a_resting_camera_calms_down() -> None:
    steady, pictures = Steady(), shimmer(8)
    shown = [steady(SCENE, picture) for picture in pictures]
    change = lambda clip: np.abs(np.diff(np.array(clip[3:], float), axis=0)).mean()
    assert change(shown) < 0.4 * change(pictures)
    assert abs(np.mean(shown[-1]) - 120) < 1 and shown[0].dtype == np.uint8


def test_a_picture_of_another_scene_is_shown_as_it_is() -> None:
    steady, (first, second) = Steady(), shimmer(2)
    steady(SCENE, first)
    assert np.array_equal(steady(255 - SCENE // 2, second), second)


def test_only_what_moves_is_new() -> None:
    steady, (first, second) = Steady(), shimmer(2)
    steady(SCENE, first)
    moved = SCENE.copy()
    moved[:, 24:] = 255 - moved[:, 24:]
    shown = steady(moved, second).astype(int)
    assert np.abs(shown - second)[:, 30:].max() <= 60 and np.abs(shown - second)[:, 40:].mean() < 1.5
    assert np.abs(shown - second)[:, :18].mean() > 3


def test_a_picture_of_another_size_begins_anew() -> None:
    steady, (first, _) = Steady(), shimmer(2)
    steady(SCENE, first)
    assert np.array_equal(steady(SCENE[:16], first[:16]), first[:16])

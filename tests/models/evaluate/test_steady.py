"""Figures of steadiness answer to what they are named after."""

import numpy as np
import pytest
from skimage import data

from reverie.models.evaluate import steady

PICTURE = data.astronaut()[:160, 120:376]


def pan(step: int, count: int = 4) -> np.ndarray:
    return np.stack([PICTURE[:, 4 * step * n : 4 * step * n + 192][:, :160] for n in range(count)])


def test_a_pattern_that_sticks_to_the_scene_warps_and_one_that_sticks_to_the_screen_does_not() -> None:
    source = pan(1)
    flow = steady.flows(source)
    stripes = ((np.arange(160) // 4) % 2 * 120).astype(np.uint8)[None, :, None]
    sticking = np.stack([np.clip(source[n] * 0.3 + np.roll(stripes, -4 * n, 1), 0, 255) for n in range(4)])
    screen = np.clip(source * 0.3 + stripes, 0, 255)
    assert steady.warp_error(screen.astype(np.uint8), flow) > 2 * steady.warp_error(sticking.astype(np.uint8), flow)


def test_a_still_clip_has_no_flicker_and_noise_has_its_own() -> None:
    assert steady.flicker(np.repeat(PICTURE[None], 4, 0)) == 0
    grain = steady.noisy(np.full((64, 64, 3), 128, np.uint8), 6, 3.0)
    assert steady.flicker(grain) == pytest.approx(3 * 2 / np.sqrt(np.pi), rel=0.05)
    assert np.array_equal(grain, steady.noisy(np.full((64, 64, 3), 128, np.uint8), 6, 3.0))


def test_a_cut_is_recovered_when_both_streams_show_the_same() -> None:
    fresh = pan(1)
    ghost = (fresh.astype(int) * 0.5 + 100).astype(np.uint8)
    assert steady.recovered(fresh, fresh) == 0
    assert steady.recovered(np.concatenate((ghost[:2], fresh[2:])), fresh) == 2
    assert steady.recovered(ghost, fresh) == 4


def test_blur_has_less_gradient_and_colours_are_shares() -> None:
    blurred = PICTURE[None, ::4, ::4].repeat(4, 1).repeat(4, 2)
    assert steady.gradient(blurred) < steady.gradient(PICTURE[None])
    assert steady.colours(np.full((1, 4, 4, 3), 255, np.uint8)) == pytest.approx([1, 1, 1, 0, 0, 0])

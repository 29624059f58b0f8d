"""Which cells are made again."""

import numpy as np
import pytest

from reverie.models import nano_kernel
from reverie.models.changes import HOLD, Changes
from reverie.models.stream import Frames


def frames(count: int, seed: int = 0) -> Frames:
    """A still scene with a square that moves in its middle, (count, 96, 128, 3)."""
    clip = np.repeat(np.random.default_rng(seed).integers(40, 200, (1, 96, 128, 3)), count, 0).astype(np.uint8)
    for n in range(count):
        clip[n, 40:56, 50 + n : 66 + n] = (250, 10, 10)
    return clip


def test_without_a_threshold_a_picture_is_left_out_once_it_has_come_often_enough() -> None:
    still = frames(1)[0]
    changes = Changes(still, 0.0)
    made = [bool(changes(still).all()) for _ in range(HOLD + 2)]
    assert made == [True] * (HOLD - 1) + [False] * 3
    other = still.copy()
    other[0, 0, 0] ^= 1
    assert changes(other).all()


def test_cells_around_a_movement_are_made_and_the_others_come_to_rest() -> None:
    clip = frames(12)
    changes = Changes(clip[0], 3.0)
    for frame in clip[1:]:
        made = changes(frame)
    assert made[2:4, 3:5].all()
    assert not made[0].any()
    assert not made[:, 7].any()


def test_noise_is_not_movement_but_a_slow_change_of_light_is_seen() -> None:
    rng, scene = np.random.default_rng(1), frames(1)[0].astype(float)
    noisy = lambda level: np.clip(scene + level + rng.normal(0, 2, scene.shape), 0, 255).astype(np.uint8)
    changes = Changes(noisy(0), 4.0)
    for _ in range(HOLD):
        changes(noisy(0))
    assert not any(changes(noisy(0)).any() for _ in range(10))
    assert any(changes(noisy(0.3 * n)).any() for n in range(30))  # each step alone is below the threshold


@pytest.fixture(scope="module")
def model() -> nano_kernel.Nano:
    return nano_kernel.load(skip=3.0)


def test_what_is_kept_looks_like_what_would_have_been_made(model: nano_kernel.Nano) -> None:
    clip, shown = frames(16), {}
    for threshold in (0.0, 3.0):
        model.skip = threshold
        stream = model.stream()
        stream.start("pencil sketch")
        shown[threshold] = stream.step(clip)
        assert (stream.work_saved > 0.3) == (threshold > 0)
    error = np.mean((shown[0.0].astype(float) - shown[3.0]) ** 2)
    assert 10 * np.log10(255**2 / error) > 35


def test_a_picture_that_came_to_rest_is_left_out_without_changing_a_bit(model: nano_kernel.Nano) -> None:
    model.skip = 0.0
    clip = np.concatenate((frames(4), np.repeat(frames(4)[-1:], 8, 0)))
    stream, every = model.stream(), model.stream()
    stream.start("neon outlines")
    every.start("neon outlines")
    for number, frame in enumerate(clip):
        every._changes = None  # made again whatever it is
        assert np.array_equal(stream.step(frame[None]), every.step(frame[None])), number
    assert 0.2 < stream.work_saved < 0.5
    assert every.work_saved == 0


def test_making_every_cell_is_making_the_picture(model: nano_kernel.Nano) -> None:
    clip = frames(3)
    stream, whole = model.stream(), model.stream()
    stream.start("comic book")
    whole.start("comic book")
    expected = whole.step(clip)
    stream.step(clip[:2])
    assert stream._instance is not None
    ones = np.ones((6, 8), np.uint8)
    stream._instance.make_only(ones)
    stream._instance["frame"][: clip[2].size] = clip[2].reshape(-1)
    stream._recall(stream._instance)
    model.device.frame([stream._instance])
    assert np.array_equal(stream._instance["shown"][: clip[2].size].reshape(clip[2].shape), expected[2])

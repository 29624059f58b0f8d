"""The looks: deterministic, different from each other, anchored to the screen."""

from itertools import combinations

import numpy as np
import pytest

from reverie.models.train.teachers import GRID, LOOKS, MIRRORED, Picture


def scene(height: int = 96, width: int = 128) -> Picture:
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    planes = [128 + 90 * np.sin(x / 17 + p) * np.cos(y / 13 - p) for p in range(3)]
    picture = np.stack(planes, -1)
    picture[30:60, 40:80] = (220, 180, 150)  # something with edges
    return picture.astype(np.uint8)


def test_there_are_at_least_twelve_looks_beside_the_original() -> None:
    assert len(LOOKS) > 12
    assert np.array_equal(LOOKS["original"](scene()), scene())


@pytest.mark.parametrize("name", LOOKS)
def test_a_look_keeps_size_and_type_and_repeats_itself(name: str) -> None:
    shown = LOOKS[name](scene())
    assert (shown.shape, shown.dtype) == (scene().shape, np.uint8)
    assert np.array_equal(shown, LOOKS[name](scene()))


def test_looks_differ_from_each_other() -> None:
    shown = {name: look(scene()).astype(int) for name, look in LOOKS.items()}
    for one, other in combinations(shown, 2):
        assert np.abs(shown[one] - shown[other]).mean() > 8, (one, other)


@pytest.mark.parametrize("name", LOOKS)
def test_patterns_keep_their_phase_under_a_shift_of_the_grid(name: str) -> None:
    wide = np.tile(scene(), (1, 2, 1))
    inner = slice(64, 128)  # away from the borders, where filters see less
    at_once = LOOKS[name](wide)[:, 2 * GRID :][:, inner]
    shifted = LOOKS[name](np.ascontiguousarray(wide[:, 2 * GRID :]))[:, inner]
    assert np.abs(at_once.astype(int) - shifted).mean() < 6


def test_mirrored_looks_are_those_that_a_mirror_does_not_change() -> None:
    apart = {}
    for name, look in LOOKS.items():
        mirrored = look(np.ascontiguousarray(scene()[:, ::-1]))[:, ::-1]
        apart[name] = np.abs(mirrored.astype(int) - look(scene())).mean()
    assert {name for name, d in apart.items() if d < 0.1} == MIRRORED

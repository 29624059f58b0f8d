"""Marks: soft steps, hand-drawn lines, cells on a lattice."""

import numpy as np
import pytest

from reverie.models.nano import noise
from reverie.models.train.looks import marks
from reverie.models.train.looks.scene import Frame, Wish


def frame(picture: np.ndarray | None = None) -> Frame:
    shown = np.full((64, 96, 3), 128, np.uint8) if picture is None else picture
    return Frame(shown, noise(0, 64, 96).numpy()[0], np.zeros((64, 96, 2), np.float32))


def test_levels_are_steps_with_soft_edges() -> None:
    x = np.linspace(0, 1, 1001, dtype=np.float32)
    y = marks.levels(x, 4, 0.1)
    assert set(np.round(y[(np.arange(1001) % 250) < 20], 3)) == {0, 0.25, 0.5, 0.75, 1.0}
    assert (np.diff(y) >= 0).all() and np.diff(y).max() < 0.03


def test_a_line_is_drawn_where_dark_meets_light_unless_unwished() -> None:
    picture = np.full((64, 96, 3), 230, np.uint8)
    picture[:, 40:] = 90
    f = frame(picture)
    drawn = marks.lines(f, Wish())
    assert drawn[32, 36:46].max() > 0.5 and drawn[32, 5:25].max() == 0
    assert marks.lines(f, Wish(line="bold")).sum() > drawn.sum() > marks.lines(f, Wish(line="fine")).sum()
    assert not marks.lines(f, Wish(outlines=False)).any()


def test_cells_are_sampled_at_their_own_centres() -> None:
    cells = marks.cells(frame(), 8, 0.3)
    centres = {(round(float(y), 2), round(float(x), 2)) for y, x in zip(cells.y.ravel(), cells.x.ravel(), strict=True)}
    assert 80 <= len(centres) <= 140  # 8 x 12 cells and some beyond the border
    assert (cells.near <= 1.2).all() and (cells.gap >= 0).all()
    steps = np.abs(np.diff(marks.sampled(frame().x[..., None].repeat(3, 2), cells)[..., 0], axis=1))
    assert (steps < 1e-3).mean() > 0.7  # flat inside, steps between


@pytest.mark.parametrize(("size", "expected"), [("small", 4), ("", 8), ("large", 16)])
def test_pitches_divide_the_room(size: str, expected: int) -> None:
    assert marks.pitch(Wish(size=size), 8) == expected
    assert marks.pitch(Wish(size="large"), 16) == 16


def test_a_hatch_repeats_with_its_pitch() -> None:
    f = frame()
    f.__dict__["hand"] = (f.v, f.u)  # a steady hand
    wave = marks.hatch(f, 8, 1, 1)
    assert np.allclose(wave[:-8], wave[8:]) and np.allclose(wave[:, :-8], wave[:, 8:])
    assert wave.min() == 0 and wave.max() == 1

"""Painted looks: strokes and washes."""

import numpy as np

from reverie.models.train.looks import painting
from reverie.models.train.looks.scene import Frame, Wish


def roughness(x: np.ndarray) -> float:
    return float(np.abs(np.diff(x.mean(-1), axis=1)).mean())


def test_thick_paint_is_rougher_than_the_source_and_oil_is_between(portrait: Frame) -> None:
    thick, smooth = painting.impasto(portrait, Wish()), painting.oil(portrait, Wish())
    assert roughness(thick) > roughness(smooth)
    assert roughness(thick) > 1.5 * roughness(portrait.colour)


def test_a_palette_leans_to_the_wished_colour(portrait: Frame) -> None:
    blue, red = (painting.oil(portrait, Wish(colour=colour)) for colour in ("blue", "red"))
    assert (blue[..., 2] - blue[..., 0]).mean() > 0.1 > -0.1 > (red[..., 2] - red[..., 0]).mean()


def test_eyes_survive_thick_paint(portrait: Frame) -> None:
    for look in (painting.impasto, painting.van_gogh):
        shown = look(portrait, Wish()).mean(-1)
        assert shown[41:44, 54:57].mean() < shown[50:56, 60:68].mean() - 0.1


def test_watercolour_is_paler_than_the_source(portrait: Frame) -> None:
    assert painting.watercolour(portrait, Wish()).mean() > portrait.colour.mean() + 0.05

"""Drawn looks are one ink on a paper."""

import numpy as np
import pytest

from reverie.models.train.looks import LOOKS, drawing, painted
from reverie.models.train.looks.scene import Frame, Wish

ONE_INK = ["pencil", "charcoal", "ink_wash", "engraving", "crosshatch", "ballpoint"]


@pytest.mark.parametrize("look", ONE_INK)
def test_an_ink_takes_the_wished_colour_and_leaves_the_paper(look: str, portrait: Frame) -> None:
    plain, red = (painted(LOOKS[look], portrait, wish).astype(int) for wish in (Wish(), Wish(colour="red")))
    warmth = lambda x: (x[..., 0] - x[..., 2]).mean()
    assert warmth(red) > warmth(plain) + 15
    assert plain.max() > 200


@pytest.mark.parametrize("look", ["pencil", "charcoal", "ink_wash", "engraving", "crosshatch", "ballpoint"])
def test_hair_is_drawn_darker_than_skin(look: str, portrait: Frame) -> None:
    shown = getattr(drawing, look)(portrait, Wish()).mean(-1)
    assert shown[14:24, 50:78].mean() < shown[46:60, 55:73].mean() - 0.15


def test_chalk_and_blueprint_draw_light_on_dark(portrait: Frame) -> None:
    for look in (drawing.chalkboard, drawing.blueprint):
        shown = look(portrait, Wish()).mean(-1)
        assert np.median(shown) < 0.5 and shown.max() > 0.85

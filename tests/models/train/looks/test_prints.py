"""Printed looks: few inks, dots that grow with the shade."""

import numpy as np
import pytest

from reverie.models.train.looks import prints
from reverie.models.train.looks.scene import Frame, Wish


def flat(level: int) -> Frame:
    return Frame(
        np.full((64, 64, 3), level, np.uint8), np.zeros((3, 64, 64), np.float32), np.zeros((64, 64, 2), np.float32)
    )


@pytest.mark.parametrize("look", [prints.halftone, prints.newspaper, prints.risograph])
def test_a_darker_tone_has_more_ink(look) -> None:  # type: ignore[no-untyped-def]
    light, middle, dark = (look(flat(level), Wish()).mean() for level in (220, 128, 40))
    assert light > middle + 0.05 and middle > dark + 0.05


def test_larger_dots_repeat_less_often() -> None:
    turns = lambda size: (np.diff(np.sign(prints.halftone(flat(128), Wish(size=size)).mean(-1)[8] - 0.5)) != 0).sum()
    assert turns("small") > 1.5 * turns("") > 2 * turns("large")


def test_a_stencil_has_three_tones(portrait: Frame) -> None:
    shown = prints.stencil(portrait, Wish(colour="blue"))
    inks = [np.array(c) / 255 for c in ((28, 72, 180), (24, 22, 26))]
    assert all((np.abs(shown - ink).max(-1) < 0.12).mean() > 0.03 for ink in inks)


def test_manga_is_black_and_white(portrait: Frame) -> None:
    shown = prints.manga(portrait, Wish())
    assert np.ptp(shown, axis=-1).max() < 0.05
    assert (shown.max(-1) > 0.9).mean() > 0.1 < (shown.max(-1) < 0.15).mean()

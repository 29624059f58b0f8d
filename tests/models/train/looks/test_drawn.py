"""Cartoon, anime, storybook: flat colours between lines."""

import pytest

from reverie.models.train.looks import drawn
from reverie.models.train.looks.scene import Frame, Wish


@pytest.mark.parametrize("look", [drawn.cartoon, drawn.anime, drawn.storybook])
def test_outlines_are_dark_and_can_be_left_out(look, portrait: Frame) -> None:  # type: ignore[no-untyped-def]
    lined, plain = look(portrait, Wish()), look(portrait, Wish(outlines=False))
    changed = abs(lined - plain).max(-1) > 0.02
    assert 0.005 < changed.mean() < 0.4
    assert lined[changed].mean() < plain[changed].mean() - 0.03


def test_a_cartoon_has_few_tones_and_strong_colours(portrait: Frame) -> None:
    shown = drawn.cartoon(portrait, Wish(outlines=False))
    spread = lambda x: (x.max(-1) - x.min(-1)).mean()
    assert spread(shown) > 1.2 * spread(portrait.colour)

"""Looks made of pieces or of one stuff."""

import numpy as np

from reverie.models.train.looks import material
from reverie.models.train.looks.scene import Frame, Wish


def test_pixels_are_square_and_flat(portrait: Frame) -> None:
    for size, step in (("", 4), ("large", 8)):
        shown = material.pixel_art(portrait, Wish(size=size))
        blocks = shown.reshape(96 // step, step, 128 // step, step, 3)
        assert np.ptp(blocks, axis=(1, 3)).max() == 0


def test_stained_glass_has_dark_lead_and_bright_panes(portrait: Frame) -> None:
    shown = material.stained_glass(portrait, Wish())
    assert 0.08 < (shown.max(-1) < 0.15).mean() < 0.6
    assert shown.max() > 0.7


def test_a_console_shows_four_shades_of_green(portrait: Frame) -> None:
    shown = material.eight_bit(portrait, Wish())
    assert (shown[..., 1] >= shown[..., 2]).all()


def test_statues_have_one_hue(portrait: Frame) -> None:
    marble = material.marble(portrait, Wish())
    assert (marble.max(-1) - marble.min(-1)).mean() < 0.06
    bronze = material.bronze(portrait, Wish())
    assert bronze[..., 0].mean() > bronze[..., 2].mean()

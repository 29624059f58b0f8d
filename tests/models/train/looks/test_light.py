"""Grades and films."""

import numpy as np

from reverie.models.train.looks import light
from reverie.models.train.looks.scene import Frame, Wish


def test_grades_go_where_they_say(portrait: Frame) -> None:
    red, green, blue = (lambda x, n=n: x[..., n].mean() for n in range(3))
    golden, moon, night = (look(portrait, Wish()) for look in (light.golden_hour, light.moonlight, light.night_vision))
    assert red(golden) > blue(golden) + 0.25
    assert blue(moon) > red(moon) + 0.1 and moon.mean() < portrait.colour.mean()
    assert green(night) > 2 * red(night) and green(night) > 2 * blue(night)
    grey = light.noir(portrait, Wish())
    assert np.abs(grey[..., 0] - grey[..., 2]).max() < 0.1


def test_a_gradient_passes_through_its_stops() -> None:
    g = np.array([[0.0, 0.25, 0.5, 1.0]], np.float32)
    shown = light.gradient(g, (0, 0, 0), (255, 0, 0), (255, 255, 255))
    assert np.allclose(shown[0], [[0, 0, 0], [0.5, 0, 0], [1, 0, 0], [1, 1, 1]])


def test_neon_glows_on_the_edges_only(portrait: Frame) -> None:
    shown = light.neon(portrait, Wish()).max(-1)
    assert shown[70:78, 60:70].max() > 0.8 and shown[84:94, 50:80].mean() < 0.3

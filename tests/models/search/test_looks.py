import numpy as np
import pytest

from reverie.models.search.looks import meant, named
from reverie.models.search.space import unit


@pytest.mark.parametrize(
    ("text", "looks"),
    [
        ("a castle as a Watercolour painting", ["watercolour"]),
        ("ein Aquarell von mir", ["watercolour"]),
        ("浮世絵の波", ["ukiyo_e"]),
        ("像素画", ["pixel_art"]),
        ("pop art, then pixel art", ["pop_art", "pixel_art"]),
        ("a ton of bricks", []),  # "Ton" is clay in German
        ("original", []),
        ("", []),
    ],
)
def test_looks_are_known_by_their_names_in_any_tongue(text: str, looks: list[str]) -> None:
    assert named(text) == looks


def test_a_text_means_the_looks_whose_phrases_are_near() -> None:
    phrases, owners = unit(np.eye(4, dtype=np.float32)), ["oil", "oil", "neon", "comic"]
    assert meant(unit(np.array([0.9, 0.2, 0.1, 0.0], np.float32)), phrases, owners) == ["oil"]
    assert meant(unit(np.array([0.0, 0.0, 1.0, 0.98], np.float32)), phrases, owners) == ["neon", "comic"]
    assert meant(unit(np.ones(4, np.float32)), phrases, owners) == []

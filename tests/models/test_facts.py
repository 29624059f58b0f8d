"""Facts of pictures: each measure answers to what it is named after, and says it in words."""

import cv2
import numpy as np
import pytest

from reverie.models.facts import Seen, measure, sentence, words


def plain(*colour: int) -> np.ndarray:
    return np.full((90, 160, 3), colour, np.uint8)


@pytest.mark.parametrize(
    ("colour", "name"),
    [((220, 30, 30), "red"), ((235, 150, 40), "orange"), ((240, 225, 60), "yellow"), ((40, 160, 60), "green"),
     ((30, 190, 190), "turquoise"), ((40, 80, 210), "blue"), ((130, 50, 210), "purple"), ((240, 80, 170), "pink"),
     ((110, 70, 35), "brown"), ((225, 190, 160), "beige"), ((250, 250, 250), "white"), ((120, 120, 122), "grey"),
     ((8, 8, 8), "black")],
)  # fmt: skip
def test_a_plain_picture_has_one_named_colour(colour: tuple[int, int, int], name: str) -> None:
    assert measure(plain(*colour)).colours == ((name, 1.0),)


def test_shares_of_colours_are_those_of_the_picture() -> None:
    picture = plain(40, 80, 210)
    picture[:, 120:] = 220, 30, 30
    colours = dict(measure(picture).colours)
    assert list(colours) == ["blue", "red"]
    assert colours["blue"] == pytest.approx(0.75, abs=0.02)
    assert sum(colours.values()) == pytest.approx(1)


def test_a_darker_picture_has_less_light_and_says_so() -> None:
    picture = np.random.default_rng(0).integers(60, 200, (90, 160, 3), np.uint8)
    lit, dark = measure(picture), measure(picture // 6)
    assert dark.light < lit.light / 5
    assert "very dark light" in sentence(dark)
    assert "even light" in sentence(lit)


def test_light_from_behind_warmth_and_colour_are_told() -> None:
    picture = plain(240, 240, 240)
    picture[25:65, 45:115] = 30, 30, 30
    assert "from behind" in sentence(measure(picture))
    assert "warm" in sentence(measure(plain(200, 150, 110)))
    assert "cold" in sentence(measure(plain(110, 150, 200)))
    assert measure(plain(128, 128, 128)).colourful == pytest.approx(0, abs=1e-6)
    assert measure(picture).colourful < measure(np.random.default_rng(0).integers(0, 256, (90, 160, 3), np.uint8)).colourful  # fmt: skip


def test_motion_is_the_change_since_the_earlier_picture() -> None:
    picture = cv2.resize(np.random.default_rng(1).integers(0, 256, (9, 16, 3), np.uint8), (160, 90))
    assert measure(picture).motion == measure(picture, picture).motion == 0
    assert "still" in words(measure(picture, picture))
    near, far = (measure(picture, np.roll(picture, n, 1)).motion for n in (1, 8))
    assert 0 < near < far
    assert "lively movement" in words(measure(picture, np.roll(picture, 8, 1)))


def test_who_and_where_are_said_only_when_known() -> None:
    picture = plain(120, 120, 120)
    assert words(measure(picture))[0] == "even light"
    close = measure(picture, seen=Seen(person=0.9, people=0.4, face=0.5, outdoors=0.1))
    assert words(close)[:2] == ["a face close to the camera", "indoors"]
    far = measure(picture, seen=Seen(person=0.8, people=0.05, outdoors=0.95, labels=(("a tree", 0.7), ("a car", 0.2))))
    assert words(far)[:3] == ["a person further away", "outdoors", "a tree"]
    assert "doors" not in sentence(measure(picture, seen=Seen(outdoors=0.5)))


@pytest.mark.parametrize("wrong", [np.zeros((9, 9), np.uint8), np.zeros((9, 9, 3)), np.zeros((0, 9, 3), np.uint8)])
def test_what_is_no_picture_is_refused(wrong: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"uint8 \(H, W, 3\)"):
        measure(wrong)

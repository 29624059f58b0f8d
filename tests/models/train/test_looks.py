"""All looks: different from each other, repeatable, and obedient to what they say they hear."""

from itertools import combinations

import cv2
import numpy as np
import pytest

from reverie.models.nano import noise
from reverie.models.train.looks import LOOKS, MOODS, TIMES, paint
from reverie.models.train.looks.marks import COLOURS
from reverie.models.train.looks.scene import ROOM, Frame, Wish, frames

WISHES = {
    "line": Wish(line="bold"), "small": Wish(size="small"), "large": Wish(size="large"), "colour": Wish(colour="green"), "mood": Wish(mood="cold"), "time": Wish(time="night"),
    "outlines": Wish(outlines=False), "strength": Wish(strength=0.45),
}  # fmt: skip


def scene(seed: int = 0) -> list[Frame]:
    rng = np.random.default_rng(seed)
    picture = cv2.resize(rng.integers(30, 226, (9, 12, 3), np.uint8), (128, 96), interpolation=cv2.INTER_CUBIC)
    picture[30:60, 40:80] = (220, 180, 150)
    cv2.circle(picture, (90, 40), 12, (30, 30, 40), -1)
    return frames(picture[None], noise(0, 96, 128).numpy()[0])


def test_there_are_more_than_forty_looks_and_the_original() -> None:
    assert len(LOOKS) > 40
    assert np.array_equal(paint("original", scene())[0], scene()[0].rgb)


@pytest.mark.parametrize("name", LOOKS)
def test_a_look_keeps_size_and_type_and_repeats_itself(name: str) -> None:
    shown = paint(name, scene())
    assert (shown.shape, shown.dtype) == ((1, 96, 128, 3), np.uint8)
    assert np.array_equal(shown, paint(name, scene()))


def test_looks_differ_from_each_other() -> None:
    shown = {name: paint(name, scene()).astype(int) for name in LOOKS}
    for one, other in combinations(shown, 2):
        assert np.abs(shown[one] - shown[other]).mean() > 6, (one, other)


@pytest.mark.parametrize("name", LOOKS)
def test_a_look_changes_with_what_it_hears_and_with_nothing_else(name: str) -> None:
    plain = paint(name, scene()).astype(int)
    for part, wish in WISHES.items():
        if part in ("mood", "time", "strength") and part not in LOOKS[name].hears:
            continue  # these work on any picture; a look that does not hear them is never asked
        changed = np.abs(paint(name, scene(), wish).astype(int) - plain).mean()
        assert (changed > 0.3) == (part in LOOKS[name].hears), (part, changed)


@pytest.mark.parametrize("name", sorted(set(LOOKS) - {"original"}))
def test_patterns_keep_their_phase_in_crops_of_the_room(name: str) -> None:
    """A crop and the noise under it look as in the whole: what training crops rely on."""
    whole = scene()[0]
    noise, rgb = whole.noise, whole.rgb
    part = (slice(ROOM, None), slice(2 * ROOM, None))
    crop = Frame(
        rgb[part].copy(), noise[:, ROOM:, 2 * ROOM :].copy(), np.zeros((96 - ROOM, 128 - 2 * ROOM, 2), np.float32)
    )
    inner = (slice(24, 60), slice(24, 72))  # away from the borders, where filters see less
    at_once = paint(name, [whole])[0][part][inner].astype(int)
    assert np.abs(at_once - paint(name, [crop])[0][inner]).mean() < 12


def test_every_colour_and_mood_changes_a_painting() -> None:
    plain = paint("oil", scene()).astype(int)
    for wish in (*(Wish(colour=c) for c in COLOURS), *(Wish(mood=m) for m in MOODS), *(Wish(time=t) for t in TIMES)):
        assert np.abs(paint("oil", scene(), wish) - plain).mean() > 4, wish

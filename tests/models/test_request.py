"""Prompts: names of looks in six languages, kin for what weights do not know, noise told from words."""

import pytest

from reverie.models import weights
from reverie.models.request import in_english, is_noise, plain, stand_in
from reverie.models.tongues import LOOKS

SHIPPED = weights.describe()["looks"].split(",")


@pytest.mark.parametrize(
    ("prompt", "said"),
    [
        ("Aquarell", "watercolour painting"),
        ("ein Aquarell von mir", "ein watercolour painting von mir"),
        ("Ölgemälde", "oil painting"),
        ("dessin au crayon", "pencil sketch"),
        ("Acuarela, por favor", "watercolour painting, por favor"),
        ("油絵", "oil painting"),
        ("赛博朋克", "cyberpunk city at night"),
        ("ピクセルアート", "pixel art"),
        ("comic", "comic book"),
        ("a comic book", "a comic book"),
        ("van gogh", "oil painting"),  # its kin, as the shipped weights have not seen one
    ],
)
def test_a_look_is_understood_in_any_of_the_languages(prompt: str, said: str) -> None:
    assert in_english(prompt, SHIPPED) == said


def test_english_that_the_weights_know_is_left_as_it_is() -> None:
    for prompt in ("pencil sketch", "Soft Watercolor washes", "carton box", "autumn tones", ""):
        assert in_english(prompt, SHIPPED) == prompt


def test_a_look_that_the_weights_know_keeps_its_own_name() -> None:
    assert in_english("Van Gogh", [*SHIPPED, "van_gogh"]) == "van gogh painting"
    assert in_english("浮世絵", LOOKS) == "japanese woodblock print"


def test_every_look_has_a_name_that_the_shipped_weights_know() -> None:
    assert {stand_in(look, SHIPPED) for look in LOOKS} <= set(SHIPPED)


def test_plain_text_has_no_accents_and_ordinary_letters() -> None:
    assert plain("  Peinture  à l’HUILE ") == "peinture a l’huile"
    assert plain("ＰＩＸＥＬ") == "pixel"
    assert plain("ガッシュ") == "ガッシュ"


@pytest.mark.parametrize(("prompt", "pieces"), [("asdf", 2), ("hjkl hjkl", 6), ("!!", 1), ("1234", 5), ("", 1)])
def test_keyboard_noise_is_no_language(prompt: str, pieces: int) -> None:
    assert is_noise(prompt, pieces)


@pytest.mark.parametrize(("prompt", "pieces"), [("zombie", 1), ("humphrey bogart", 5), ("水彩", 4), ("a robot", 2)])
def test_unknown_words_are_language(prompt: str, pieces: int) -> None:
    assert not is_noise(prompt, pieces)

"""Words: enough of them, and those held out occur nowhere in training."""

import re

from reverie.models.train import vocabulary
from reverie.models.train.looks import LOOKS
from reverie.models.train.prompts import split, variants

SMALL = {"with", "from", "during", "varying"}


def words(phrase: str) -> set[str]:
    return {word for word in re.findall(r"[^\W_]{4,}", phrase.lower()) if word not in SMALL}


def related(one: str, other: str) -> bool:
    """The same word, or one begins or ends with the other: toon and cartoon, bleaching and bleach."""
    short, long = sorted((one, other), key=len)
    return long.startswith(short) or long.endswith(short)


def test_every_look_has_names() -> None:
    assert list(vocabulary.NAMES) == list(LOOKS)
    assert all(len(known) >= 10 and len(new) >= 2 for known, new in vocabulary.NAMES.values())


def test_no_word_of_a_held_out_name_is_in_any_training_phrase() -> None:
    known = {w for look in LOOKS for wish in variants(look) for phrase in split(look, wish)[0] for w in words(phrase)}
    assert len(known) > 300
    for new in (name for _, names in vocabulary.NAMES.values() for name in names):
        assert words(new), new
        assert not [(a, b) for a in words(new) for b in known if related(a, b)], new

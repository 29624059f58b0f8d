"""Phrases: many, deterministic, with words, sentences and whole combinations never trained on."""

from reverie.models.train.looks import LOOKS, MOODS, TIMES
from reverie.models.train.looks.scene import Wish
from reverie.models.train.prompts import (
    COMBINATIONS,
    MOOD_PHRASES,
    TIME_PHRASES,
    _both,
    held_out,
    phrases,
    say,
    split,
    variants,
)
from reverie.models.train.vocabulary import NAMES

EVERY = [(look, wish, *split(look, wish)) for look in LOOKS for wish in variants(look)]


def test_there_are_thousands_of_phrases_and_15_percent_are_held_out() -> None:
    known = {phrase for _, _, seen, _ in EVERY for phrase in seen}
    held = {phrase for _, _, _, unseen in EVERY for phrase in unseen}
    assert len(known) >= 5000
    assert 0.14 < len(held) / len(known | held) < 0.2
    assert not known & held


def test_every_mood_and_time_of_day_has_words() -> None:
    assert set(MOOD_PHRASES) == set(MOODS) and set(TIME_PHRASES) == set(TIMES)


def test_a_phrase_asks_for_one_thing() -> None:
    owner: dict[str, tuple[str, Wish]] = {}
    for look, wish, seen, unseen in EVERY:
        for phrase in (*seen, *unseen):
            assert owner.setdefault(phrase, (look, wish)) == (look, wish), phrase


def test_held_out_combinations_are_in_no_training_phrase_but_their_parts_are() -> None:
    trained = [(look, wish) for look, wish, _, _ in EVERY]
    for name, whole in COMBINATIONS:
        assert not [wish for look, wish in trained if look == name and _both(wish, whole) == wish]
        assert held_out(name, whole) and not held_out(name, Wish())
        for part in Wish.__slots__:
            value = getattr(whole, part)
            if value != getattr(Wish(), part):
                assert any(getattr(wish, part) == value for _, wish in trained), (name, part)
        assert len(set(say(name, whole, 8))) >= 6


def test_a_look_is_asked_only_for_what_it_hears() -> None:
    for look, wish, seen, _ in EVERY:
        asked = {part for part in Wish.__slots__ if getattr(wish, part) != getattr(Wish(), part)}
        asked = {wish.size if part == "size" else part for part in asked}
        assert asked <= LOOKS[look].hears
        assert len(seen) >= 6


def test_plain_phrases_of_each_look_are_split() -> None:
    seen, unseen = phrases()
    assert list(seen) == list(unseen) == list(LOOKS)
    for look in LOOKS:
        assert not set(seen[look]) & set(unseen[look])
        assert set(NAMES[look][0]) <= set(seen[look]) and set(NAMES[look][1]) <= set(unseen[look])


def test_phrases_depend_on_the_seed_alone() -> None:
    assert phrases(1) == phrases(1) != phrases(2)

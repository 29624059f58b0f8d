"""Phrases: many, deterministic, with a share never trained on."""

from reverie.models.train.prompts import HELD_NOUNS, NOUNS, phrases
from reverie.models.train.teachers import LOOKS


def test_every_look_has_many_phrases() -> None:
    seen, unseen = phrases()
    assert list(seen) == list(unseen) == list(LOOKS)
    assert min(len(set(each)) for each in seen.values()) >= 150
    assert min(len(each) for each in unseen.values()) >= 20


def test_held_out_sentences_and_nouns_are_never_trained_on() -> None:
    seen, unseen = phrases()
    for look, nouns in NOUNS.items():
        assert not set(seen[look]) & set(unseen[look])
        assert not {noun for noun in nouns[-HELD_NOUNS:]} & set(seen[look])
        assert set(nouns[-HELD_NOUNS:]) <= set(unseen[look])


def test_phrases_depend_on_the_seed_alone() -> None:
    assert phrases(1) == phrases(1) != phrases(2)

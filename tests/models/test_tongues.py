"""The dictionary of looks: complete, without doubles, for all looks that are drawn."""

import re

from reverie.models.request import plain
from reverie.models.tongues import LOOKS
from reverie.models.train.looks import LOOKS as TEACHERS
from reverie.models.train.vocabulary import NAMES


def test_every_look_that_is_drawn_has_names_in_six_languages() -> None:
    assert set(LOOKS) == set(TEACHERS)
    for look, names in LOOKS.items():
        assert all(names[2:]) and names.english, look
        assert re.search("[぀-ヿ一-鿿]", names.japanese) and re.search("[一-鿿0-9]", names.chinese), look


def test_names_are_written_as_prompts_are_compared() -> None:
    for names in LOOKS.values():
        for column in (names.english, *names[2:]):
            assert all(plain(name) == name and name for name in column.split("; "))


def test_a_name_means_one_look() -> None:
    owner: dict[str, str] = {}
    for look, names in LOOKS.items():
        for column in (names.english, *names[2:]):
            for name in column.split("; "):
                assert owner.setdefault(name, look) == look, name


def test_the_first_english_name_is_one_that_training_says() -> None:
    for look, names in LOOKS.items():
        first = names.english.split("; ")[0]
        assert any(first in name or name in first for name in NAMES[look][0]), (look, first)


def test_kin_are_other_looks() -> None:
    for look, names in LOOKS.items():
        assert set(names.kin.split()) <= set(LOOKS) - {look}

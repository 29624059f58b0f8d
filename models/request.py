"""What a prompt asks for: names of looks in other languages become English, names that the weights never heard become
those of their kin, and what is no language at all is told from what is only unknown."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection
from functools import cache

from reverie.models.tongues import LOOKS

LETTERS_PER_TOKEN = 2.25  # of words that the LLM knows; keyboard noise falls into tokens of one or two letters


def plain(text: str) -> str:
    """Lower case without accents, full-width letters as ordinary ones; kana keep their voicing marks."""
    parts = unicodedata.normalize("NFD", unicodedata.normalize("NFKC", text).casefold())
    bare = "".join(c for c in parts if not "̀" <= c <= "ͯ")
    return " ".join(unicodedata.normalize("NFC", bare).split())


def in_english(prompt: str, known: Collection[str]) -> str:
    """The prompt with the names of looks in words that weights understand.

    Args: known: looks that the weights were trained on; a name of another look becomes that of its nearest kin.
    """
    text = plain(prompt)
    pattern, owner = _names(frozenset(known))
    return pattern.sub(lambda found: owner[found.group()], text) if pattern.search(text) else prompt


@cache
def _names(known: frozenset[str]) -> tuple[re.Pattern[str], dict[str, str]]:
    """Every name that must be replaced, the longest first, and what replaces it."""
    owner: dict[str, str] = {}
    for look, names in LOOKS.items():
        said = _first(LOOKS[stand_in(look, known)].english)
        for column in (names.english, *names[2:]):
            owner |= {name: said for name in column.split("; ")}
    latin = sorted((name for name in owner if name.isascii()), key=len, reverse=True)
    other = sorted((name for name in owner if not name.isascii()), key=len, reverse=True)
    whole = r"(?<![a-z0-9])(?:" + "|".join(map(re.escape, latin)) + r")(?![a-z0-9])"
    return re.compile("|".join((whole, *map(re.escape, other)))), owner


def stand_in(look: str, known: Collection[str]) -> str:
    """The look itself if it is known, else its nearest kin that is; without any, the look."""
    if look in known:
        return look
    kin = LOOKS[look].kin.split()
    further = [other for each in kin for other in LOOKS[each].kin.split()]
    return next((each for each in (*kin, *further) if each in known), look)


def _first(names: str) -> str:
    return names.split("; ")[0]


def is_noise(prompt: str, tokens: int) -> bool:
    """Whether a prompt is no language: it has no letters, or falls into many tokens of the LLM for its length.

    Args: tokens: how many the LLM makes of it, words set apart by single spaces.
    """
    letters = sum(c.isalpha() for c in prompt)
    return not letters or (prompt.isascii() and letters / tokens < LETTERS_PER_TOKEN)

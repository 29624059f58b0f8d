"""Looks asked for in the LLM's own words: SmolLM2 says each name again, and what still means the look is kept.

The result, `paraphrases.json`, is committed, so that training needs no LLM for it; `python -m reverie.models.train
paraphrase` makes it anew.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path

from reverie.models.enhance import one_line
from reverie.models.train.vocabulary import NAMES

FILE = Path(__file__).with_name("paraphrases.json")
NAMES_SAID, MAX_TOKENS, WORDS = 6, 22, (4, 16)
EXAMPLES = (
    (
        ("swimming pool light", "I want everything to look as if it were at the bottom of a swimming pool"),
        ("postcard", "make this look like an old postcard that somebody sent me"),
        ("snow globe", "put me inside of a snow globe please"),
    ),
    (
        ("postcard", "could you show the room the way a postcard would?"),
        ("swimming pool light", "light on me like the light in a swimming pool"),
        ("snow globe", "it should feel like looking into a snow globe"),
    ),
)
"""No look of ours, so that what is copied from them is seen."""
COMMON = frozenset({
    "with", "from", "that", "this", "like", "made", "make", "look", "looks", "style", "image", "picture", "video",
    "photo", "film", "drawing", "drawn", "painting", "painted", "print", "printed", "light", "dark", "lines",
    "colour", "colours", "color", "colors", "black", "white", "paper", "page", "night", "glow", "soft", "thick",
    "bold", "fine", "small", "large", "effect", "artist", "character", "portrait", "scene", "view",
})  # fmt: skip


def telling(look: str) -> set[str]:
    """Words of a look's names that say which look it is: long enough, in the names of no other look."""
    others = {word for name, (known, _) in NAMES.items() if name != look for phrase in known for word in words(phrase)}
    return {word for phrase in NAMES[look][0] for word in words(phrase)} - others - COMMON


def words(phrase: str) -> set[str]:
    return set(re.findall(r"[^\W\d_]{4,}", phrase.lower()))


def kept(look: str, said: str) -> str | None:
    """A paraphrase as people would type it, or None if it does not name the look, or names a held-out word."""
    phrase = " ".join(said.lower().replace('"', "").split()).strip(" .!-")
    if not phrase.isascii() or not WORDS[0] <= len(phrase.split()) <= WORDS[1] or ":" in phrase:
        return None
    used = words(phrase)
    copied = {"pool", "swimming", "postcard", "globe", "snow"}
    held = {word for _, new in NAMES.values() for name in new for word in words(name)}
    if used & copied or any(_related(a, b) for a in used for b in held - {"with", "from", "during", "varying"}):
        return None
    own = telling(look)
    foreign = set().union(*(telling(other) for other in NAMES if other != look))
    return phrase if used & own and not used & foreign else None


def _related(one: str, other: str) -> bool:
    short, long = sorted((one, other), key=len)
    return long.startswith(short) or long.endswith(short)


def write(generate: Callable[[str, int], Iterator[str]], looks: Iterable[str]) -> dict[str, list[str]]:
    """Paraphrases of each look's first names.  Args: generate: continues a text for at most so many tokens."""
    found: dict[str, list[str]] = {}
    for look in looks:
        said: dict[str, None] = {}
        for n, name in enumerate(NAMES[look][0][:NAMES_SAID]):
            shown = "".join(f"Look: {a}\nRequest: {b}\n\n" for a, b in EXAMPLES[n % len(EXAMPLES)])
            text = "".join(one_line(generate(f"{shown}Look: {name}\nRequest:", MAX_TOKENS)))
            if phrase := kept(look, text):
                said[phrase] = None
        found[look] = [phrase for phrase in said if phrase not in NAMES[look][0]]
    return found


@cache
def paraphrases() -> dict[str, list[str]]:
    """By look; those of a look that has none are missing."""
    return dict(json.loads(FILE.read_text()))

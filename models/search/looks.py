"""Which looks a text asks for: by what they are called in six languages, else by phrases that mean about the same.

A session's prompt and a question are read alike, so that a moment is found by any name of what it wore.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache

import numpy as np

from reverie.models.request import plain
from reverie.models.search.space import F32
from reverie.models.tongues import LOOKS

NEAR = 0.66  # cosine to a look's phrase from which a text means it; names of things reach 0.63
ALIKE = 0.1  # a second look that is so much less near is meant too
MOST = 3
SHORTEST = 4  # letters of a foreign name; shorter ones are English words too ("ton" is clay in German)


def named(text: str) -> list[str]:
    """Looks whose names a text holds, in the order of the text; not that of the unchanged picture."""
    pattern, owner = _names()
    return list(dict.fromkeys(owner[found] for found in pattern.findall(plain(text))))[:MOST]


@cache
def _names() -> tuple[re.Pattern[str], dict[str, str]]:
    owner: dict[str, str] = {}
    for look, names in LOOKS.items():
        if look == "original":
            continue
        english, foreign = names.english.split("; "), [each for column in names[2:] for each in column.split("; ")]
        known = [*english, look.replace("_", " "), *(f for f in foreign if not f.isascii() or len(f) >= SHORTEST)]
        for name in known:
            owner.setdefault(name, look)
    longest = sorted(owner, key=len, reverse=True)
    latin = r"(?<![a-z0-9])(?:" + "|".join(re.escape(n) for n in longest if n.isascii()) + r")(?![a-z0-9])"
    return re.compile("|".join((latin, *(re.escape(n) for n in longest if not n.isascii())))), owner


def meant(vector: F32, phrases: F32, owners: Sequence[str]) -> list[str]:
    """Looks whose phrases lie near a text, the nearest first.

    Args: vector: (D,) of the text.  phrases: (P, D), rows of length 1.  owners: the look of each phrase.
    """
    cosines, best = phrases @ vector, dict[str, float]()
    for n in np.argsort(-cosines):
        if cosines[n] < NEAR or len(best) == MOST:
            break
        best.setdefault(owners[n], float(cosines[n]))
    return [look for look, cosine in best.items() if cosine >= max(best.values()) - ALIKE]

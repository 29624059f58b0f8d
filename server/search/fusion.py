"""Words of a text, how moments rank by them, and several rankings in one."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass

RANK = 60  # of reciprocal rank fusion (Cormack, Clarke, Buettcher, SIGIR 2009)
MAX_WORDS = 64  # of one text
STOP_WORDS = """
a an and are as at be been being but by for from had has have he her his i in is it its me my of on or our she
some someone something that the their them there these they this those to was we were what when where which who
with you your show find photo picture image video clip moment frame scene
"""
STOP = frozenset(STOP_WORDS.split())
NUMBERS = {"one": "1", "two": "2", "three": "3", "four": "4", "five": "5", "six": "6", "seven": "7", "eight": "8"}


def words(text: str) -> list[str]:
    """The words that count, each once, in order: lower case, without accents, in the singular, numbers as digits."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    found = (NUMBERS.get(word, _stem(word)) for word in re.findall(r"[a-z0-9]+", plain) if word not in STOP)
    return list(dict.fromkeys(word[:40] for word in found))[:MAX_WORDS]


def _stem(word: str) -> str:
    for ending, instead in (("ies", "y"), ("sses", "ss"), ("ches", "ch"), ("shes", "sh"), ("xes", "x")):
        if len(word) > 4 and word.endswith(ending):
            return word[: -len(ending)] + instead
    if word.endswith("s") and not word.endswith(("ss", "us", "is")) and len(word) > 3:
        return word[:-1]
    if word.endswith("ing") and len(word) > 5:
        stem = word[:-3]
        return stem[:-1] if len(stem) > 2 and stem[-1] == stem[-2] and stem[-1] not in "ls" else stem
    return word


def ranked(holding: Mapping[str, Set[str]], total: int) -> dict[str, float]:
    """Id -> share (0 to 1) of what was asked that it holds, best first; a rare word counts more; of equals, the newest.

    Args: holding: word -> ids that hold it.  total: ids in all.
    """
    scores, whole = dict[str, float](), 0.0
    for ids in holding.values():
        weight = math.log(1 + (total + 1) / (len(ids) + 0.5))
        whole += weight
        for each in ids:
            scores[each] = scores.get(each, 0.0) + weight
    order = sorted(sorted(scores.items(), reverse=True), key=lambda item: item[1], reverse=True)
    return {each: score / whole for each, score in order}


@dataclass(frozen=True, slots=True)
class Place:
    """Of a moment in one ranking."""

    id: str
    rank: int  # from 1
    weight: float = 1.0


def in_order(ids: Iterable[str]) -> list[Place]:
    return [Place(each, rank) for rank, each in enumerate(ids, 1)]


def by_share(shares: Mapping[str, float]) -> list[Place]:
    """Of `ranked`: who holds as much has the same rank, and who holds half of what was asked half the weight."""
    places, rank, last = list[Place](), 0, -1.0
    for n, (each, share) in enumerate(shares.items(), 1):
        rank, last = (rank, last) if share == last else (n, share)
        places.append(Place(each, rank, share))
    return places


def fused(rankings: Iterable[Sequence[Place]]) -> dict[str, float]:
    """Id -> score, best first: the sum over rankings of weight / (60 + rank)."""
    scores: dict[str, float] = {}
    for place in (place for ranking in rankings for place in ranking):
        scores[place.id] = scores.get(place.id, 0.0) + place.weight / (RANK + place.rank)
    return dict(sorted(scores.items(), key=lambda item: item[1], reverse=True))

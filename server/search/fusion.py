"""Words of a text, how moments rank by them, and several rankings in one."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence, Set

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


def ranked(holding: Mapping[str, Set[str]], total: int) -> list[str]:
    """Ids by the words they hold, a rare word counting more; of equals, the newest id first.

    Args: holding: word -> ids that hold it.  total: ids in all.
    """
    scores: dict[str, float] = {}
    for ids in holding.values():
        weight = math.log(1 + (total + 1) / (len(ids) + 0.5))
        for each in ids:
            scores[each] = scores.get(each, 0.0) + weight
    return sorted(sorted(scores, reverse=True), key=scores.__getitem__, reverse=True)


def fused(rankings: Iterable[Sequence[str]]) -> dict[str, float]:
    """Id -> score, best first: the sum over rankings of 1 / (60 + rank)."""
    scores: dict[str, float] = {}
    for ranking in rankings:
        for rank, each in enumerate(ranking, 1):
            scores[each] = scores.get(each, 0.0) + 1 / (RANK + rank)
    return dict(sorted(scores.items(), key=lambda item: item[1], reverse=True))

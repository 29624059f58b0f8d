"""Words that people add and that change no look ("highly detailed", "trending"), from clip-interrogator's phrases."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from reverie.models.train import prompts
from reverie.models.train.looks.marks import COLOURS
from reverie.models.train.vocabulary import NAMES

FILE = "clip_interrogator/data/flavors.txt"
MOST_WORDS, SHARE = 3, 0.25


def load(path: Path) -> list[str]:
    """Phrases of a file, one a line, in which no word names a look or a wish.  Raises: OSError."""
    taken = _meaning()
    return [
        phrase for line in path.read_text(encoding="utf-8").splitlines()
        if (phrase := line.strip().lower()).isascii() and 0 < len(phrase.split()) <= MOST_WORDS
        and re.fullmatch(r"[a-z0-9 -]+", phrase) and not any(_near(word, taken) for word in phrase.split())
    ]  # fmt: skip


@cache
def _meaning() -> frozenset[str]:
    """The words, cut to five letters, of all names and wishes, the held-out ones too."""
    tables = (prompts.LINE_PHRASES, prompts.SIZE_PHRASES, prompts.MOOD_PHRASES, prompts.TIME_PHRASES, prompts.SHADES)
    said = [phrase for table in tables for phrases in table.values() for phrase in phrases]  # type: ignore[attr-defined]
    said += [name for known, new in NAMES.values() for name in (*known, *new)]
    said += [*prompts.NO_OUTLINES, *prompts.SUBTLE, *COLOURS]
    return frozenset(word[:5] for phrase in said for word in re.findall(r"[a-z0-9]{3,}", phrase.lower()))


def _near(word: str, taken: frozenset[str]) -> bool:
    return any(part[:5] in taken for part in word.split("-"))


def added(asked: Sequence[Sequence[str]], distractors: Sequence[str], seed: int = 0) -> list[list[str]]:
    """The phrases, and a share of them once more with something beside the point."""
    rng = random.Random(f"{seed} distractors")
    return [
        [*phrases, *(f"{phrase}, {rng.choice(distractors)}" for phrase in phrases if rng.random() < SHARE)]
        for phrases in asked
    ]

"""A moment: a stretch of time in which one thing is shown.  Windows of a second or two grow into moments here."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]
SAME = 0.90  # cosine from which a window shows what the moment before it shows
MAX_WORDS = 4000  # characters of what was said during one moment
MAX_HINTS = 12
GAP_S, LONGEST_S = 3.0, 60.0  # a pause in which nothing was seen ends a moment, and so does its length
SIDES = ("source", "output")


@dataclass(frozen=True, slots=True)
class Moment:
    """What is known of one; all of it can be shown to its tenant."""

    id: str
    session: str
    begin: float  # Unix time in seconds; of footage, from its beginning on the day it was indexed
    end: float
    style: str = ""  # the prompt that was worn; "" is the camera
    caption: str = ""
    facts: tuple[str, ...] = ()
    words: str = ""  # what was said, typed and chatted meanwhile
    media: str = ""  # where it can be seen again: recording:ID or file:PATH
    media_s: float = 0.0  # where in it
    hints: tuple[str, ...] = ()  # names of what may be seen, too unsure to be told; keywords only


@dataclass(frozen=True, slots=True)
class Window:
    """A second or two that were seen."""

    begin: float
    end: float
    vectors: Mapping[str, F32]  # side -> (D,), of length 1
    style: str = ""
    facts: tuple[str, ...] = ()
    media: str = ""
    media_s: float = 0.0
    hints: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Entry:
    """A moment with its vectors, as an index takes it."""

    moment: Moment
    vectors: Mapping[str, F32]


@dataclass(slots=True)
class Merger:
    """Windows of one session, in order, to moments: what stays the same is one."""

    session: str
    entry: Entry | None = None
    _sums: dict[str, F32] = field(default_factory=dict)
    _told: Counter[str] = field(default_factory=Counter)  # in how many of the moment's windows each fact holds
    _windows: int = 0

    def add(self, window: Window) -> tuple[Entry, bool]:
        """The moment that a window belongs to, and whether it begins with it."""
        if (entry := self.entry) is not None and self._goes_on(entry, window):
            self._sums = {side: self._sums[side] + vector for side, vector in window.vectors.items()}
            facts = self._facts(window)
            hints = tuple(dict.fromkeys((*entry.moment.hints, *window.hints)))[:MAX_HINTS]
            told = caption(facts, window.style)
            known = replace(entry.moment, end=window.end, facts=facts, caption=told, hints=hints)
            self.entry = Entry(known, _lengths_of_one(self._sums))
            return self.entry, False
        self._told, self._windows = Counter(), 0
        facts = self._facts(window)
        moment = Moment(
            new_id(window.begin), self.session, window.begin, window.end, window.style, caption(facts, window.style),
            facts, media=window.media, media_s=window.media_s, hints=window.hints,
        )  # fmt: skip
        self._sums = dict(window.vectors)
        self.entry = Entry(moment, dict(window.vectors))
        return self.entry, True

    def say(self, text: str) -> Entry | None:
        """Words that were typed, chatted or spoken now, to the moment that is going on."""
        if self.entry is None or not text.strip():
            return None
        moment = self.entry.moment
        said = f"{moment.words}\n{text.strip()}".strip()[-MAX_WORDS:]
        self.entry = replace(self.entry, moment=replace(moment, words=said))
        return self.entry

    def _facts(self, window: Window) -> tuple[str, ...]:
        """What holds in at least half of the moment's windows, in the order in which it was first told."""
        self._told.update(window.facts)
        self._windows += 1
        return tuple(fact for fact, count in self._told.items() if 2 * count >= self._windows)

    def _goes_on(self, entry: Entry, window: Window) -> bool:
        moment = entry.moment
        if (
            moment.style != window.style
            or moment.media != window.media
            or entry.vectors.keys() != window.vectors.keys()
        ):
            return False
        if window.begin - moment.end > GAP_S or window.end - moment.begin > LONGEST_S:
            return False
        return all(float(entry.vectors[side] @ vector) >= SAME for side, vector in window.vectors.items())


def caption(facts: Sequence[str], style: str = "") -> str:
    """Facts side by side: the template, which says nothing that was not measured."""
    said = ", ".join(facts)
    look = f"look: {style}" if style else ""
    return "; ".join(each for each in (said[:1].upper() + said[1:], look) if each)


def new_id(begin: float) -> str:
    """Sorts by time."""
    return f"{datetime.fromtimestamp(begin, UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(4)}"


def _lengths_of_one(sums: Mapping[str, F32]) -> dict[str, F32]:
    return {side: np.asarray(x / np.linalg.norm(x), np.float32) for side, x in sums.items()}

"""A moment: a stretch of time in which one thing is shown.  Windows of a second or two grow into moments here."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]
SAME = 0.90  # cosine from which a window shows what the moment before it shows
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

    def add(self, window: Window) -> tuple[Entry, bool]:
        """The moment that a window belongs to, and whether it begins with it."""
        if (entry := self.entry) is not None and self._goes_on(entry, window):
            self._sums = {side: self._sums[side] + vector for side, vector in window.vectors.items()}
            facts = tuple(dict.fromkeys((*entry.moment.facts, *window.facts)))
            self.entry = Entry(replace(entry.moment, end=window.end, facts=facts), _lengths_of_one(self._sums))
            return self.entry, False
        moment = Moment(
            new_id(window.begin), self.session, window.begin, window.end, window.style, facts=window.facts,
            media=window.media, media_s=window.media_s,
        )  # fmt: skip
        self._sums = dict(window.vectors)
        self.entry = Entry(moment, dict(window.vectors))
        return self.entry, True

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


def new_id(begin: float) -> str:
    """Sorts by time."""
    return f"{datetime.fromtimestamp(begin, UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(4)}"


def _lengths_of_one(sums: Mapping[str, F32]) -> dict[str, F32]:
    return {side: np.asarray(x / np.linalg.norm(x), np.float32) for side, x in sums.items()}

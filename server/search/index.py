"""What an index can do, and the one that needs nothing: exact, in memory, NumPy."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from reverie.server.search.fusion import ranked
from reverie.server.search.fusion import words as words_of
from reverie.server.search.moments import Entry, Moment

F32 = NDArray[np.float32]
LIKE = "like "  # begins the fact that names a look


@dataclass(frozen=True, slots=True)
class Filter:
    """Only these moments; None and "" are all."""

    session: str = ""
    after: float | None = None  # Unix time: moments that end later
    before: float | None = None  # and begin sooner
    style: str | None = None  # the prompt that was worn, as it was typed
    side: str = ""  # source or output: whose pictures are compared

    def allows(self, moment: Moment) -> bool:
        return (
            (not self.session or moment.session == self.session)
            and (self.after is None or moment.end > self.after)
            and (self.before is None or moment.begin < self.before)
            and (self.style is None or moment.style == self.style)
        )


ALL = Filter()


class Index(Protocol):
    """Moments of one tenant.  Blocking; calls may come from any thread."""

    def put(self, entries: Sequence[Entry]) -> None:
        """Add moments, or what has become of them."""

    def get(self, ids: Sequence[str]) -> list[Moment]:
        """Those that there are, in that order."""

    def ids(self) -> set[str]: ...

    def is_whole(self) -> bool:
        """Whether it was filled from the journal once and has not been lost since."""

    def make_whole(self) -> None: ...

    def remove(self, ids: Iterable[str]) -> None: ...

    def clear(self) -> None: ...

    def near(self, vector: F32, only: Filter, count: int) -> list[tuple[str, float]]:
        """Ids and cosines, nearest first; of a moment's sides the nearer counts."""

    def holding(self, words: Sequence[str]) -> dict[str, float]:
        """Moments with some of the words (of `fusion.words`), best first, with scores; filters are the caller's."""


def text_of(moment: Moment) -> str:
    """All that keywords are looked for in."""
    looks = [look_word(fact.removeprefix(LIKE)) for fact in moment.facts if fact.startswith(LIKE)]
    return " ".join((moment.caption, moment.style, *moment.facts, *looks, *moment.hints, moment.words))


def look_word(look: str) -> str:
    """One keyword for a look, whatever it is called: "pop art" is not found by other art."""
    return "look" + re.sub(r"[^a-z0-9]", "", look)


class ExactIndex:
    """Compares with everything: 20,000 vectors of 384 numbers take 2 ms."""

    def __init__(self) -> None:
        self._whole = False
        self._entries: dict[str, Entry] = {}
        self._words: dict[str, set[str]] = {}
        self._rows: list[tuple[str, str]] | None = None  # (id, side) of the rows of the matrix
        self._matrix: F32 = np.zeros((0, 0), np.float32)
        self._lock = threading.Lock()

    def put(self, entries: Sequence[Entry]) -> None:
        with self._lock:
            for entry in entries:
                self._forget(entry.moment.id)
                self._entries[entry.moment.id] = entry
                for word in words_of(text_of(entry.moment)):
                    self._words.setdefault(word, set()).add(entry.moment.id)
            self._rows = None

    def remove(self, ids: Iterable[str]) -> None:
        with self._lock:
            for each in ids:
                self._forget(each)
            self._rows = None

    def get(self, ids: Sequence[str]) -> list[Moment]:
        with self._lock:
            return [self._entries[each].moment for each in ids if each in self._entries]

    def ids(self) -> set[str]:
        with self._lock:
            return set(self._entries)

    def is_whole(self) -> bool:
        return self._whole

    def make_whole(self) -> None:
        self._whole = True

    def clear(self) -> None:
        with self._lock:
            self._entries, self._words, self._rows = {}, {}, None

    def near(self, vector: F32, only: Filter, count: int) -> list[tuple[str, float]]:
        with self._lock:
            if self._rows is None:
                self._rows = [(e.moment.id, side) for e in self._entries.values() for side in e.vectors]
                rows = [self._entries[each].vectors[side] for each, side in self._rows]
                self._matrix = np.stack(rows) if rows else np.zeros((0, len(vector)), np.float32)
            rows_, entries, cosines = self._rows, self._entries, self._matrix @ vector
        best: dict[str, float] = {}
        for n in np.argsort(-cosines, kind="stable"):
            each, side = rows_[n]
            if (
                each in best
                or only.side not in ("", side)
                or each not in entries
                or not only.allows(entries[each].moment)
            ):
                continue
            best[each] = float(cosines[n])
            if len(best) == count:
                break
        return list(best.items())

    def holding(self, words: Sequence[str]) -> dict[str, float]:
        with self._lock:
            return ranked({word: self._words.get(word, set()) for word in words}, len(self._entries))

    def _forget(self, each: str) -> None:
        if (entry := self._entries.pop(each, None)) is not None:
            for word in words_of(text_of(entry.moment)):
                self._words[word].discard(each)

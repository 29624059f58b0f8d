"""Moments that have outgrown memory: their vectors in cells on disk, their keywords in the journal's file.

A moment moves in three steps, each of which may be the last before a crash: its vectors into the cells' delta, a mark
in the journal, and out of the index in memory.  Until the mark it is hot and found twice, which counts once; after it
the index drops it whenever it is opened.  An id in the cells is the moment's number in the journal and a bit for its
side: what was deleted has no number any more, is passed over, and is left out by the next compaction.
"""

from __future__ import annotations

import fcntl
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import numpy as np

from reverie.models.search.space import F32
from reverie.server.search.cells import Cells
from reverie.server.search.clusters import cells_for
from reverie.server.search.fusion import ranked
from reverie.server.search.fusion import words as words_of
from reverie.server.search.index import ALL, Filter, text_of
from reverie.server.search.journal import Journal
from reverie.server.search.moments import SIDES

T = TypeVar("T")
BATCH = 1000  # moments that move at once
DELTA = 20_000  # rows that wait, and are searched whole, before a compaction
READ = 32  # cells of a question
FEW = 2000  # moments that a filter leaves, up to which their vectors are read from the journal, exactly
COMMON = 10_000  # moments of one keyword that are looked at, the newest


class Cold:
    """One tenant's, in one space.  Calls may come from any thread."""

    def __init__(self, journal: Journal, space: str, url: str, lock: Path) -> None:
        """Args: url: a folder or an address of fsspec, of this journal and space alone.  lock: a file."""
        self._journal, self._space, self._url, self._lock_file = journal, space, url, lock
        self._lock = threading.Lock()
        self._cells: Cells | None = None

    def near(self, vector: F32, only: Filter, count: int) -> list[tuple[str, float]]:
        """As an index's."""
        allowed: set[int] | None = None
        if only != ALL:
            allowed = self._journal.cold_numbers(self._space, only)
            if len(allowed) <= FEW:
                return self._exact(sorted(allowed), vector, only, count)
        sides = [n for n, side in enumerate(SIDES) if only.side in ("", side)]
        admits = None if allowed is None and len(sides) == 2 else self._admits(allowed, sides)
        found = self._asked(lambda cells: cells.near(vector, 4 * count, READ, admits))
        names = self._journal.names({each // 2 for each, _ in found})
        best: dict[str, float] = {}
        for each, cosine in found:
            if (name := names.get(each // 2)) is not None:
                best.setdefault(name, cosine)
        return list(best.items())[:count]

    def holding(self, words: Sequence[str]) -> dict[str, float]:
        """As an index's."""
        held = {word: self._journal.cold_holding(self._space, word, COMMON) for word in words}
        return ranked(held, self._journal.count_cold(self._space))

    def cool(self, numbers: Sequence[int]) -> list[str]:
        """Move these moments of the journal here; their ids, which the index shall forget now."""
        moved = []
        for n in range(0, len(numbers), BATCH):
            entries = self._journal.numbered(numbers[n : n + BATCH])
            rows = [(2 * seq + SIDES.index(s), v) for seq, each in entries for s, v in each.vectors.items()]
            ids = np.array([each for each, _ in rows], np.int64)
            self._asked(lambda cells, ids=ids, rows=rows: cells.add(ids, np.stack([v for _, v in rows])))  # type: ignore[misc]
            self._journal.make_cold({seq: words_of(text_of(each.moment)) for seq, each in entries})
            moved += [each.moment.id for _, each in entries]
        return moved

    def compact(self, rows: int = DELTA) -> bool:
        """Into new cells, if so many rows wait or some were deleted; whether it was done.  Others may ask meanwhile."""
        cells, deleted = Cells(self._url), self._journal.deleted_cold()
        if cells.waiting < max(1, rows) and not deleted:
            return False
        if self._journal.count_cold(self._space):
            cells.compact(cells_for(len(cells)), alive=self._alive)
        else:
            cells.clear()
        self._journal.deleted_cold(-deleted)
        with self._lock:
            self._cells = None
        return True

    @contextmanager
    def alone(self) -> Iterator[bool]:
        """Whether no other process moves this tenant's moments; none will as long as this lasts."""
        with self._lock_file.open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
            else:
                yield True

    def _asked(self, question: Callable[[Cells], T]) -> T:
        """Of the cells; opened anew where a compaction, perhaps of another process, took the files away."""
        with self._lock:
            if self._cells is None:
                self._cells = Cells(self._url)
            try:
                return question(self._cells)
            except FileNotFoundError:
                self._cells = Cells(self._url)
                return question(self._cells)

    def _exact(self, numbers: Sequence[int], vector: F32, only: Filter, count: int) -> list[tuple[str, float]]:
        best: dict[str, float] = {}
        for _, entry in self._journal.numbered(numbers):
            for side, own in entry.vectors.items():
                if only.side in ("", side):
                    best[entry.moment.id] = max(float(own @ vector), best.get(entry.moment.id, -2.0))
        return sorted(best.items(), key=lambda pair: -pair[1])[:count]

    def _alive(self, ids: np.ndarray) -> np.ndarray:  # type: ignore[type-arg]
        names = self._journal.names({int(each) // 2 for each in ids})
        return np.array([int(each) // 2 in names for each in ids], bool)

    @staticmethod
    def _admits(allowed: set[int] | None, sides: Sequence[int]) -> Callable[[np.ndarray], np.ndarray]:  # type: ignore[type-arg]
        known = None if allowed is None else np.array(sorted(allowed), np.int64)

        def admits(ids: np.ndarray) -> np.ndarray:  # type: ignore[type-arg]
            of_side = np.isin(ids % 2, sides)
            return of_side if known is None else of_side & np.isin(ids // 2, known)

        return admits

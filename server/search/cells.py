"""Neighbourhoods on disk, for vectors that outgrow memory: a question reads only the cells nearest to it.

A store is a folder, on local disk or wherever fsspec reaches (S3 and others), of files that never change: per
generation `cells-G.bin`, where each cell's vectors (int8) and ids (int64) lie together, and `cells-G.npz`, where the
cells begin and what their centres are.  `current.json` names the generation; it is replaced in one step, so a crash
leaves the one before.  New vectors wait in `delta-N.npz` files, are searched whole, and go into the next generation by
`compact`.  A vector lies in its nearest cell and, where another is almost as near, in that one too, there under ~id.
"""

from __future__ import annotations

import io
import json
import os
import secrets
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import fsspec
import numpy as np
from fsspec.implementations.local import LocalFileSystem
from numpy.typing import NDArray

from reverie.server.search.clusters import F32, I64, build, compared, unpacked, write

ROWS = 25_000  # that a question reads at most: 10 MB and 30 ms
LEAST, FURTHER = 4, 1.2  # cells that are read at least; times the nearest centre's distance up to which others are


@dataclass(frozen=True, slots=True)
class Layout:
    """One generation's."""

    name: str
    centres: F32  # (C, D)
    begins: I64  # (C + 1,): rows of the cells
    width: int
    squares: F32  # (C,) of the centres' lengths

    @property
    def row_bytes(self) -> int:
        return self.width + 4 + 8  # int8 vector, float32 scale, int64 id


class Cells:
    """One collection of vectors of length 1, by whole numbers.  One writer at a time; readers open it anew."""

    def __init__(self, url: str) -> None:
        """Args: url: a folder, or an address that fsspec knows."""
        self._fs, self._root = fsspec.core.url_to_fs(url)
        self._layout = self._read_layout()
        self._alive: Callable[[I64], NDArray[np.bool_]] = lambda ids: np.ones(len(ids), bool)
        self._delta: list[tuple[I64, F32]] = [self._read_delta(path) for path in self._deltas()]

    def __len__(self) -> int:
        """Rows: a vector in two cells counts twice."""
        return (int(self._layout.begins[-1]) if self._layout else 0) + self.waiting

    def add(self, ids: I64, vectors: F32) -> None:
        """Into the delta; found at once."""
        raw = io.BytesIO()
        np.savez(raw, ids=ids.astype(np.int64), vectors=vectors.astype(np.float16))
        self._write(f"delta-{len(self._delta):06}-{secrets.token_hex(4)}.npz", raw.getvalue())
        self._delta.append((ids.astype(np.int64), vectors.astype(np.float16).astype(np.float32)))

    @property
    def waiting(self) -> int:
        """Rows of the delta."""
        return sum(len(ids) for ids, _ in self._delta)

    def near(
        self, vector: F32, count: int, cells: int = 16, admits: Callable[[I64], NDArray[np.bool_]] | None = None
    ) -> list[tuple[int, float]]:
        """Ids and cosines, nearest first.

        Args: cells: how many are read at most.  admits: (N,) ids to which of them may be answers; None is all.
        """
        found: dict[int, float] = {}
        parts = [(ids, rows @ vector) for ids, rows in self._delta]
        if self._layout is not None:
            nearest = self._worthy(vector, cells, everything=admits is not None)
            ids, cosines = compared(self._table(b"".join(self._ranges(nearest))), vector)
            parts.append((np.where(ids < 0, ~ids, ids), cosines))
        for ids, cosines in parts:
            if admits is not None:
                allowed = admits(ids)
                ids, cosines = ids[allowed], cosines[allowed]
            for n in _largest(cosines, 2 * count):  # a vector of two cells is there twice
                found[int(ids[n])] = max(float(cosines[n]), found.get(int(ids[n]), -2.0))
        return sorted(found.items(), key=lambda pair: -pair[1])[:count]

    def _worthy(self, vector: F32, most: int, everything: bool) -> NDArray[Any]:
        """The nearest cells, as far as they may hold neighbours and together hold not too much.

        Where the nearest centre is much nearer than the others, these hold none (SPANN, arXiv 2111.08566).  Args:
        everything: a filter may leave nothing of the nearest, so all are taken.
        """
        assert self._layout is not None
        squares = self._layout.squares - 2 * (self._layout.centres @ vector) + float(vector @ vector)
        nearest = np.argsort(squares)[:most]
        far = np.flatnonzero(squares[nearest] > FURTHER**2 * max(float(squares[nearest[0]]), 0.0))
        if len(far) and not everything:
            nearest = nearest[: max(LEAST, int(far[0]))]
        chosen, rows = list[int](), 0
        for n in nearest.tolist():
            size = int(self._layout.begins[n + 1] - self._layout.begins[n])
            if not chosen or rows + size <= ROWS:
                chosen.append(n)
                rows += size
        return np.array(chosen)

    def compact(
        self, cells: int, sample: int = 65_536, told: Callable[[int], None] = lambda done: None,
        alive: Callable[[I64], NDArray[np.bool_]] = lambda ids: np.ones(len(ids), bool),
    ) -> None:  # fmt: skip
        """Everything into a new generation; what was in the delta is in it.

        Args: cells: how many there shall be.  told: how many vectors are placed.  alive: which ids are kept.
        Raises: ValueError if none is.
        """
        self._alive = alive
        deltas = self._deltas()
        taken = [path.rpartition("/")[2] for path in deltas]
        build(self._fs, self._root, self._everything, cells, sample, taken, told)
        self._layout = self._read_layout()
        self._delta = [self._read_delta(path) for path in self._deltas()]
        for path in (*deltas, *self._leftovers()):
            self._fs.rm(path, recursive=True)

    def clear(self) -> None:
        """Nothing is left, on disk either."""
        if self._fs.exists(self._root):
            self._fs.rm(self._root, recursive=True)
        self._layout, self._delta = None, []

    def _everything(self, begin: int = 0) -> Iterator[tuple[I64, F32]]:
        """All vectors once that are kept, the newest of an id.  Args: begin: 0, for nothing is half done."""
        newer = np.concatenate([np.zeros(0, np.int64), *(ids for ids, _ in self._delta)])
        for n in range(len(self._layout.centres) if self._layout else 0):
            for raw in self._ranges(np.array([n])):
                ids, rows = unpacked(self._table(raw))
                fresh = (ids >= 0) & ~np.isin(ids, newer)
                fresh[fresh] = self._alive(ids[fresh])
                yield ids[fresh], rows[fresh]
        for n, (ids, rows) in enumerate(self._delta):
            newer = np.concatenate([np.zeros(0, np.int64), *(ids for ids, _ in self._delta[n + 1 :])])
            fresh = self._alive(ids) & ~np.isin(ids, newer)
            yield ids[fresh], rows[fresh]

    def _ranges(self, cells: NDArray[Any]) -> list[bytes]:
        assert self._layout is not None
        size, begins = self._layout.row_bytes, self._layout.begins
        starts, ends = (begins[cells] * size).tolist(), (begins[cells + 1] * size).tolist()
        path = f"{self._root}/{self._layout.name}.bin"
        if isinstance(self._fs, LocalFileSystem):
            return _read(path, starts, ends)
        return list(self._fs.cat_ranges([path] * len(cells), starts, ends))

    def _table(self, raw: bytes) -> NDArray[np.uint8]:
        assert self._layout is not None
        return np.frombuffer(raw, np.uint8).reshape(-1, self._layout.row_bytes)

    def _read_layout(self) -> Layout | None:
        if not self._fs.exists(f"{self._root}/current.json"):
            return None
        name = str(json.loads(self._fs.cat_file(f"{self._root}/current.json"))["generation"])
        with np.load(io.BytesIO(self._fs.cat_file(f"{self._root}/{name}.npz"))) as kept:
            centres = kept["centres"]
            return Layout(name, centres, kept["begins"], centres.shape[1], (centres * centres).sum(1))

    def _deltas(self) -> list[str]:
        """Files of the delta that the current generation has not taken in."""
        if not self._fs.exists(self._root):
            return []
        taken: set[str] = set()
        if self._fs.exists(f"{self._root}/current.json"):
            taken = set(json.loads(self._fs.cat_file(f"{self._root}/current.json"))["taken"])
        names = [str(path) for path in self._fs.ls(self._root, detail=False)]
        return sorted(
            p for p in names if p.rpartition("/")[2].startswith("delta-") and p.rpartition("/")[2] not in taken
        )

    def _leftovers(self) -> list[str]:
        """Of generations before, and of compactions that a crash cut short."""
        assert self._layout is not None
        names = [str(path) for path in self._fs.ls(self._root, detail=False)]
        own = f"{self._layout.name}."
        return [p for p in names if (n := p.rpartition("/")[2]).startswith(("cells-", "partial-")) and own not in n]

    def _read_delta(self, path: str) -> tuple[I64, F32]:
        with np.load(io.BytesIO(self._fs.cat_file(path))) as kept:
            return kept["ids"], kept["vectors"].astype(np.float32)

    def _write(self, name: str, content: bytes) -> None:
        write(self._fs, f"{self._root}/{name}", content)


def _read(path: str, starts: Sequence[int], ends: Sequence[int]) -> list[bytes]:
    """Ranges of a local file; the disk is told of all of them before the first is waited for."""
    with open(path, "rb", buffering=0) as file:
        if hasattr(os, "posix_fadvise"):
            for begin, end in zip(starts, ends, strict=True):
                os.posix_fadvise(file.fileno(), begin, end - begin, os.POSIX_FADV_WILLNEED)
        return [os.pread(file.fileno(), end - begin, begin) for begin, end in zip(starts, ends, strict=True)]


def _largest(values: F32, count: int) -> list[int]:
    """Where they are, the largest first."""
    some = np.argpartition(-values, count)[:count] if len(values) > count else np.arange(len(values))
    return [int(n) for n in some[np.argsort(-values[some])]]

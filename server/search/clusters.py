"""How a generation of cells is made: centres by k-means on a sample, then every vector to its nearest cells.

It comes in three steps that leave their results in a folder: centres, places, rows.  A folder that is kept lets a build
that was stopped go on; memory stays at a few hundred MB however many vectors there are.  At last cells that drew in
much more than others are split: k-means likes to make one near the origin, for whatever has no centre of its own.
"""

from __future__ import annotations

import io
import json
import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from fsspec.implementations.local import LocalFileSystem
from numpy.typing import NDArray

F32 = NDArray[np.float32]
I64 = NDArray[np.int64]
Chunks = Callable[[int], Iterator[tuple[I64, F32]]]  # ids and vectors (N, D) from the n-th chunk on, always the same
ROUNDS = 8  # of k-means
ALMOST = 1.05  # a second cell gets a vector too if its centre is at most so much further away
AT_ONCE = 2048  # vectors that are compared with all centres
WRITTEN_AT_ONCE = 250_000  # vectors; sorted by cell, so that a cell's rows are written together
AIM, LARGE, DEPTH = (
    400,
    4.0,
    3,
)  # rows of a cell; times the mean (or the aim) from which it is split; how often its parts are
CACHED = 512  # rows of 384 numbers that the second level holds as floats
SAMPLED = 40  # rows for each part of a cell that is split


def cells_for(total: int) -> int:
    """How many cells so many vectors shall have: 400 vectors each, and more where that were more than 3.2 sqrt(N)."""
    return max(16, min(total // AIM, round(3.2 * total**0.5)))


def distances(x: F32, centres: F32) -> F32:
    """Squared, (N, C), but for each row's own length, which changes no order."""
    made = np.asarray(x @ centres.T, np.float32)
    made *= -2
    made += (centres * centres).sum(1)
    return made


def kmeans(x: F32, cells: int, seed: int = 0) -> F32:
    """Centres (C, D) of vectors (N, D), N >= C; a centre that loses all its vectors begins anew at one of them."""
    rng = np.random.default_rng(seed)
    centres = x[rng.choice(len(x), cells, replace=False)].copy()
    for _ in range(ROUNDS):
        own = np.concatenate([distances(x[n : n + AT_ONCE], centres).argmin(1) for n in range(0, len(x), AT_ONCE)])
        order = np.argsort(own, kind="stable")
        held, first = np.unique(own[order], return_index=True)
        sums = np.add.reduceat(x[order], first, 0)
        counts = np.diff(np.append(first, len(x)))
        centres[:] = x[rng.choice(len(x), cells)]
        centres[held] = sums / counts[:, None]
    return centres


def cells_of(x: F32, centres: F32) -> NDArray[np.int32]:
    """(N, 2): each vector's nearest cell, and a second one, or -1 where that is clearly further away."""
    squares, row = distances(x, centres), np.arange(len(x))
    if len(centres) == 1:
        return np.tile(np.array([[0, -1]], np.int32), (len(x), 1))
    first = squares.argmin(1)
    least = squares[row, first]
    squares[row, first] = np.inf
    second = squares.argmin(1)
    own = (x * x).sum(1)
    far = np.maximum(squares[row, second] + own, 0) > ALMOST**2 * np.maximum(least + own, 0)
    return np.stack((first, np.where(far, -1, second)), 1).astype(np.int32)


def sampled(chunks: Chunks, count: int, seed: int = 0) -> tuple[F32, int]:
    """About so many vectors, drawn evenly from all, and how many there are."""
    rng, kept, total, share = np.random.default_rng(seed), list[F32](), 0, 1.0
    for _, vectors in chunks(0):
        total += len(vectors)
        kept.append(vectors[rng.random(len(vectors)) < share])
        while sum(map(len, kept)) > 4 * count:  # thin out: what is kept, and what comes
            kept, share = [each[rng.random(len(each)) < 0.5] for each in kept], share / 2
    x = np.concatenate(kept) if kept else np.zeros((0, 0), np.float32)
    return x[rng.permutation(len(x))[:count]], total


def build(
    fs: Any, root: str, chunks: Chunks, cells: int, sample: int, taken: Sequence[str],
    told: Callable[[int], None] = lambda done: None, kept: Path | None = None,
) -> str:  # fmt: skip
    """Write a generation and make it the current one; its name.

    Args:
        fs, root: of fsspec.
        taken: files of the delta that it holds.
        told: how many vectors are placed so far.
        kept: a folder for what is half done: the next call with the same vectors goes on there.  None begins anew.
    Raises: ValueError if there are no vectors.
    """
    name = f"cells-{secrets.token_hex(6)}"
    with _workplace(root, kept) as folder:
        centres = _centres(folder, chunks, cells, sample)
        _place(folder, chunks, centres, told)
        begins = _fill(folder, chunks, centres.shape[0], centres.shape[1])
        begins, centres = _split(folder, begins, centres)
        fs.makedirs(root, exist_ok=True)
        move = fs.mv if isinstance(fs, LocalFileSystem) else fs.put_file
        move(str(folder / "cells.bin"), f"{root}/{name}.bin")
    raw = io.BytesIO()
    np.savez(raw, centres=centres, begins=begins)
    write(fs, f"{root}/{name}.npz", raw.getvalue())
    write(fs, f"{root}/current.json", json.dumps({"generation": name, "taken": list(taken)}).encode())
    return name


@contextmanager
def _workplace(root: str, kept: Path | None) -> Iterator[Path]:
    """Gone when all is done; a kept one stays where its work was cut short."""
    if kept is None:
        with tempfile.TemporaryDirectory(dir=root if Path(root).is_dir() else None, prefix="partial-") as made:
            yield Path(made)
    else:
        kept.mkdir(parents=True, exist_ok=True)
        yield kept
        shutil.rmtree(kept)


def _centres(folder: Path, chunks: Chunks, cells: int, sample: int) -> F32:
    path = folder / "centres.npy"
    if not path.exists():
        x, total = sampled(chunks, sample)
        if not total:
            raise ValueError("there are no vectors to cluster")
        _save(path, kmeans(x, min(cells, len(x))))
    return np.asarray(np.load(path), np.float32)


def _place(folder: Path, chunks: Chunks, centres: F32, told: Callable[[int], None]) -> None:
    """A file per chunk: the cells of its vectors."""
    before = _placed(folder)
    done = sum(len(np.load(path, mmap_mode="r")) for path in before)
    for n, (_, vectors) in enumerate(chunks(len(before)), len(before)):
        parts = [cells_of(vectors[at : at + AT_ONCE], centres) for at in range(0, len(vectors), AT_ONCE)]
        _save(folder / f"places-{n:06}.npy", np.concatenate([np.zeros((0, 2), np.int32), *parts]))
        told(done := done + len(vectors))


def _placed(folder: Path) -> list[Path]:
    return sorted(folder.glob("places-*.npy"))


def _fill(folder: Path, chunks: Chunks, cells: int, width: int) -> I64:
    """Every row to its place: int8 vector, float32 scale, int64 id.  Returns: (cells + 1,) where cells begin."""
    count = lambda places: np.bincount(places[places >= 0], minlength=cells)
    counts = [count(np.load(path)) for path in _placed(folder)]
    begins = np.concatenate(([0], np.cumsum(np.sum(counts, 0)))).astype(np.int64)
    path, note = folder / "cells.bin", folder / "filled.npy"
    filled = int(np.load(note)) if note.exists() else 0
    free = begins[:-1] + np.sum(counts[:filled], 0, dtype=np.int64)
    shape = int(begins[-1]), width + 12
    table = np.memmap(path, np.uint8, "r+" if filled else "w+", shape=shape)
    for upto, rows in _together(chunks, filled):
        places = np.concatenate([np.load(each) for each in _placed(folder)[filled:upto]])
        which, column = np.nonzero(places >= 0)
        order = np.argsort(places[which, column], kind="stable")
        which, column = which[order], column[order]
        held, first, many = np.unique(places[which, column], return_index=True, return_counts=True)
        sorted_rows = rows[which]
        sorted_rows[column == 1, width + 4 :] ^= 0xFF  # ~id: a second copy
        table[np.repeat(free[held] - first, many) + np.arange(len(which))] = sorted_rows
        free[held] += many
        table.flush()
        _save(note, np.array(filled := upto))
    return begins


def _split(folder: Path, begins: I64, centres: F32) -> tuple[I64, F32]:
    """`split` of the rows that were filled; where that is cut short they are filled again."""
    table = np.memmap(folder / "cells.bin", np.uint8, "r+", shape=(int(begins[-1]), centres.shape[1] + 12))
    (folder / "filled.npy").unlink(missing_ok=True)
    found = split(table, begins, centres)
    table.flush()
    return found


def split(table: NDArray[np.uint8], begins: I64, centres: F32, seed: int = 0) -> tuple[I64, F32]:
    """Parts of cells that hold much more than others, as cells of their own; begins and centres of all.

    Args: table: (N, D + 12) rows of `packed`, cell by cell; rows of a cell that is split change places.
    """
    rng, aim = np.random.default_rng(seed), max(AIM, float(np.median(np.diff(begins))))
    whole = list[tuple[int, F32]]()
    waiting = [(int(b), int(e), c, 0) for (b, e), c in zip(pairwise(begins), centres, strict=True)]
    while waiting:
        begin, end, centre, depth = waiting.pop()
        if end - begin <= LARGE * aim or depth == DEPTH:
            whole.append((begin, centre))
            continue
        parts = round((end - begin) / aim)
        some = np.sort(rng.choice(end - begin, min(end - begin, SAMPLED * parts), replace=False))
        made = kmeans(unpacked(table[begin:end][some])[1], parts, seed)
        blocks = (unpacked(table[n : min(n + AT_ONCE, end)])[1] for n in range(begin, end, AT_ONCE))
        own = np.concatenate([distances(x, made).argmin(1) for x in blocks])
        table[begin:end] = table[begin:end][np.argsort(own, kind="stable")]
        ends = begin + np.cumsum(np.bincount(own, minlength=parts))
        for n in np.flatnonzero(np.diff(ends, prepend=begin)).tolist():
            waiting.append((int(ends[n - 1]) if n else begin, int(ends[n]), made[n], depth + 1))
    whole.sort(key=lambda cell: cell[0])
    return np.array([*(b for b, _ in whole), begins[-1]], np.int64), np.stack([c for _, c in whole])


def _together(chunks: Chunks, begin: int) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """Rows of some chunks at once, and the number of the chunk after them."""
    held, n = list[NDArray[np.uint8]](), begin
    for n, (ids, vectors) in enumerate(chunks(begin), begin + 1):
        held.append(packed(ids, vectors))
        if sum(map(len, held)) >= WRITTEN_AT_ONCE:
            yield n, np.concatenate(held)
            held = []
    if held:
        yield n, np.concatenate(held)


def _save(path: Path, table: NDArray[Any]) -> None:
    """Whole or not at all."""
    partial = path.with_suffix(".partial")
    with partial.open("wb") as file:
        np.save(file, table)
    partial.replace(path)


def packed(ids: I64, vectors: F32) -> NDArray[np.uint8]:
    """(N, D + 12) bytes."""
    scales = np.maximum(np.abs(vectors).max(1), 1e-12).astype(np.float32) / np.float32(127)
    rows = np.rint(vectors / scales[:, None]).astype(np.int8)
    tail = np.concatenate((scales.view(np.uint8).reshape(-1, 4), ids.astype(np.int64).view(np.uint8).reshape(-1, 8)), 1)
    return np.concatenate((rows.view(np.uint8), tail), 1)


def unpacked(table: NDArray[np.uint8]) -> tuple[I64, F32]:
    """Ids and vectors of `packed`."""
    ids, rows, scales = _columns(table)
    return ids, rows.astype(np.float32) * scales[:, None]


def compared(table: NDArray[np.uint8], vector: F32) -> tuple[I64, F32]:
    """Ids of `packed` and products with a vector; as many rows at once as the cache holds."""
    ids, rows, scales = _columns(table)
    parts = [rows[n : n + CACHED].astype(np.float32) @ vector for n in range(0, len(rows), CACHED)]
    return ids, np.concatenate([np.zeros(0, np.float32), *parts]) * scales


def _columns(table: NDArray[np.uint8]) -> tuple[I64, NDArray[np.int8], F32]:
    width = table.shape[1] - 12
    scales = np.ascontiguousarray(table[:, width : width + 4]).view(np.float32)[:, 0]
    return np.ascontiguousarray(table[:, width + 4 :]).view(np.int64)[:, 0], table[:, :width].view(np.int8), scales


def write(fs: Any, path: str, content: bytes) -> None:
    """Whole or not at all: under another name first, then moved."""
    fs.makedirs(path.rpartition("/")[0], exist_ok=True)
    partial = f"{path.rpartition('/')[0]}/partial-{secrets.token_hex(4)}"
    fs.pipe_file(partial, content)
    fs.mv(partial, path)

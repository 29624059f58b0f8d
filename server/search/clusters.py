"""How a generation of cells is made: centres by k-means on a sample, then every vector to its nearest cells."""

from __future__ import annotations

import io
import json
import secrets
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]
I64 = NDArray[np.int64]
Chunks = Callable[[], Iterator[tuple[I64, F32]]]  # all ids and vectors (N, D), in the same order each time
ROUNDS = 8  # of k-means
ALMOST = 1.05  # a second cell gets a vector too if its centre is at most so much further away
AT_ONCE = 8192  # vectors that are compared with all centres


def distances(x: F32, centres: F32) -> F32:
    """Squared, (N, C), but for each row's own length, which changes no order."""
    return np.asarray((centres * centres).sum(1) - 2 * (x @ centres.T), np.float32)


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
    squares = distances(x, centres) + (x * x).sum(1, keepdims=True)
    if len(centres) == 1:
        return np.tile(np.array([[0, -1]], np.int32), (len(x), 1))
    two = np.argpartition(squares, 1, axis=1)[:, :2]
    values = np.take_along_axis(squares, two, 1)
    order = np.argsort(values, 1)
    two, values = np.take_along_axis(two, order, 1), np.maximum(np.take_along_axis(values, order, 1), 0)
    two[values[:, 1] > ALMOST**2 * values[:, 0], 1] = -1
    return two.astype(np.int32)


def sampled(chunks: Chunks, count: int, seed: int = 0) -> tuple[F32, int]:
    """About so many vectors, drawn evenly from all, and how many there are."""
    rng, kept, total, share = np.random.default_rng(seed), list[F32](), 0, 1.0
    for _, vectors in chunks():
        total += len(vectors)
        kept.append(vectors[rng.random(len(vectors)) < share])
        while sum(map(len, kept)) > 4 * count:  # thin out: what is kept, and what comes
            kept, share = [each[rng.random(len(each)) < 0.5] for each in kept], share / 2
    x = np.concatenate(kept) if kept else np.zeros((0, 0), np.float32)
    return x[rng.permutation(len(x))[:count]], total


def build(
    fs: Any, root: str, chunks: Chunks, cells: int, sample: int, taken: Sequence[str], told: Callable[[int], None]
) -> str:
    """Write a generation and make it the current one; its name.

    Args:
        fs, root: of fsspec.
        taken: files of the delta that it holds.
        told: how many vectors are placed so far.
    Raises: ValueError if there are no vectors.
    """
    x, total = sampled(chunks, sample)
    if not total:
        raise ValueError("there are no vectors to cluster")
    centres = kmeans(x, min(cells, len(x)))
    placed, done = [], 0
    for _, vectors in chunks():
        placed.append(
            np.concatenate([cells_of(vectors[n : n + AT_ONCE], centres) for n in range(0, len(vectors), AT_ONCE)])
        )
        told(done := done + len(vectors))
    places = np.concatenate(placed)
    begins = np.concatenate(([0], np.cumsum(np.bincount(places[places >= 0], minlength=len(centres))))).astype(np.int64)
    name = f"cells-{secrets.token_hex(6)}"
    with tempfile.TemporaryDirectory(dir=root if Path(root).is_dir() else None, prefix="partial-") as folder:
        path = Path(folder) / "cells.bin"
        _fill(path, chunks, places, begins, centres.shape[1])
        fs.makedirs(root, exist_ok=True)
        fs.put_file(str(path), f"{root}/{name}.bin")
    raw = io.BytesIO()
    np.savez(raw, centres=centres, begins=begins)
    write(fs, f"{root}/{name}.npz", raw.getvalue())
    write(fs, f"{root}/current.json", json.dumps({"generation": name, "taken": list(taken)}).encode())
    return name


def _fill(path: Path, chunks: Chunks, places: NDArray[np.int32], begins: I64, width: int) -> None:
    """Every row to its place: int8 vector, float32 scale, int64 id."""
    table = np.memmap(path, np.uint8, "w+", shape=(int(begins[-1]), width + 12))
    free, at = begins[:-1].copy(), 0
    for ids, vectors in chunks():
        rows = packed(ids, vectors)
        for column in range(2):
            own = places[at : at + len(ids), column]
            order = np.argsort(own, kind="stable")
            order = order[own[order] >= 0]
            cell = own[order]
            held, first, counts = np.unique(cell, return_index=True, return_counts=True)
            within = np.arange(len(cell)) - np.repeat(first, counts)
            table[free[cell] + within] = rows[order]
            free[held] += counts
        at += len(ids)
    table.flush()


def packed(ids: I64, vectors: F32) -> NDArray[np.uint8]:
    """(N, D + 12) bytes."""
    scales = np.maximum(np.abs(vectors).max(1), 1e-12).astype(np.float32) / np.float32(127)
    rows = np.rint(vectors / scales[:, None]).astype(np.int8)
    tail = np.concatenate((scales.view(np.uint8).reshape(-1, 4), ids.astype(np.int64).view(np.uint8).reshape(-1, 8)), 1)
    return np.concatenate((rows.view(np.uint8), tail), 1)


def write(fs: Any, path: str, content: bytes) -> None:
    """Whole or not at all: under another name first, then moved."""
    fs.makedirs(path.rpartition("/")[0], exist_ok=True)
    partial = f"{path.rpartition('/')[0]}/partial-{secrets.token_hex(4)}"
    fs.pipe_file(partial, content)
    fs.mv(partial, path)

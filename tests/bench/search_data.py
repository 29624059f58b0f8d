"""Vectors that are hard to search: a mixture of 10,000 Gaussians with much noise, drawn again from a seed at any time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

WIDTH, CENTRES, NOISE, SEED = 384, 10_000, 0.66, 11
CHUNK = 10_000  # vectors that are drawn at once
F32 = NDArray[np.float32]


def _unit(x: F32) -> F32:
    return np.asarray(x / np.linalg.norm(x, axis=1, keepdims=True), np.float32)


def centres() -> F32:
    return _unit(np.random.default_rng(SEED).standard_normal((CENTRES, WIDTH), np.float32))


def chunk(number: int, middle: F32, count: int = CHUNK) -> F32:
    """The number-th chunk; the same for the same number.  Queries are a chunk of a number that is no vector's."""
    rng = np.random.default_rng((SEED, number))
    noise = rng.standard_normal((count, WIDTH), np.float32) * np.float32(NOISE / WIDTH**0.5)
    return _unit(middle[rng.integers(0, CENTRES, count)] + noise)


def queries(count: int, middle: F32) -> F32:
    return chunk(10**9, middle, count)


def exact(asked: F32, total: int, middle: F32, count: int = 10) -> tuple[NDArray[np.int64], F32]:
    """Ids and cosines (Q, count) of the true neighbours among the first `total` vectors, chunk by chunk."""
    ids, best = np.zeros((len(asked), 0), np.int64), np.zeros((len(asked), 0), np.float32)
    for n in range(total // CHUNK):
        cosines = asked @ chunk(n, middle).T
        top = np.argpartition(-cosines, count, axis=1)[:, :count]
        ids = np.concatenate((ids, top + n * CHUNK), 1)
        best = np.concatenate((best, np.take_along_axis(cosines, top, 1)), 1)
        order = np.argsort(-best, 1)[:, :count]
        ids, best = np.take_along_axis(ids, order, 1), np.take_along_axis(best, order, 1)
    return ids, best


def tenth_ratio(best: F32, middle: F32) -> float:
    """Distance to the tenth neighbour over the mean distance between centres: at 0.5 or more nothing is easy."""
    between = np.sqrt(np.maximum(2 - 2 * (middle[:500] @ middle[500:1000].T), 0)).mean()
    return float(np.sqrt(np.maximum(2 - 2 * best[:, -1], 0)).mean() / between)

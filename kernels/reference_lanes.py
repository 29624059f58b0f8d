"""Float32 arithmetic as the kernels do it (kernels/cpu/lanes.h): sixteen lanes, then a tree."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import DTypeLike, NDArray

from reverie.kernels.tasks import Ref

F = np.float32
Floats = NDArray[np.float32]


class Find(Protocol):
    """The array at a place of a buffer."""

    def __call__(self, ref: Ref, dtype: DTypeLike, *shape: int) -> Any: ...


def tree(x: Floats, join: Any = np.add) -> Floats:
    """(..., 16) to (...)."""
    for half in (8, 4, 2, 1):
        x = join(x[..., :half], x[..., half : 2 * half])
    return x[..., 0]


def total(x: Floats) -> Floats:
    """Sum over the last axis, a multiple of 16 long."""
    sums = np.zeros((*x.shape[:-1], 16), F)
    for k in range(0, x.shape[-1], 16):
        sums = sums + x[..., k : k + 16]
    return tree(sums)


def to_bytes(x: Floats) -> NDArray[np.uint8]:
    return np.rint(np.clip(x, F(0), F(255))).astype(np.uint8)


def exp2(x: Floats) -> Floats:
    """2^x for x <= 0; zero below -126."""
    bounded = np.maximum(x, F(-126))
    whole = np.rint(bounded)
    f = bounded - whole
    p = np.full_like(f, 9.60079e-3)
    for c in (5.591611e-2, 2.4023711e-1, 6.9312216e-1, 1.0):
        p = p * f + F(c)
    return np.where(x < F(-126), F(0), np.ldexp(p, whole.astype(np.int32))).astype(F)


def exp2_rounded(x: Floats) -> Floats:
    """Nearest integer to 2^x for -126 <= x < 8, by a cubic."""
    whole = np.rint(x)
    f = x - whole
    p = np.full_like(f, 5.517167e-2)
    for c in (2.4261112e-1, 6.9326099e-1, 9.9992807e-1):
        p = p * f + F(c)
    return np.rint(np.ldexp(p, whole.astype(np.int32)))


def sigmoid(x: Floats) -> Floats:
    e = exp2(-np.abs(x) * F(1.44269504))
    return np.where(x > 0, F(1), e) / (F(1) + e)


def unpacked(packed: NDArray[np.int8], outs: int) -> NDArray[np.int64]:
    """Weights [O / 16][k / 4][16][4] as (O, k)."""
    return packed.reshape(outs // 16, -1, 16, 4).transpose(0, 2, 1, 3).reshape(outs, -1).astype(np.int64)

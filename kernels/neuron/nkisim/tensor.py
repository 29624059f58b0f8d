"""Tensors of the simulator: a NumPy view of some memory, and where that memory lies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

ONCHIP = ("sbuf", "psum")
INT_POISON = 4  # what fresh memory of whole numbers holds; of floats it is NaN


class Violation(Exception):
    """The kernel does what the hardware or the language does not allow."""


def address(array: NDArray[Any]) -> int:
    return int(array.__array_interface__["data"][0])


class Block:
    """Memory that `nl.ndarray` gave out."""

    def __init__(self, space: str, name: str, base: NDArray[Any], rows: tuple[int, int], begin: int, end: int) -> None:
        """Args: base: the whole memory; rows: first partition and the one after the last; begin, end: bytes in each."""
        self.space, self.name, self.base = space, name, base
        self.rows, self.begin, self.end = rows, begin, end
        self.first = address(base)
        self.taken_by = ""  # who was put over it since

    def alive(self) -> None:
        if self.taken_by:
            raise Violation(f"{self.name} is used after {self.taken_by} took its place in {self.space}")


class Box(NamedTuple):
    """Which part of a memory an operand touches; on chip rows are partitions, columns bytes within one."""

    block: Block
    row: int
    row_end: int
    column: int
    column_end: int


class NkiTensor:
    """A view.  On chip the first dimension is the partition and no dimension is dropped by an index."""

    def __init__(self, block: Block, array: NDArray[Any]) -> None:
        self.block, self.array = block, array

    @property
    def shape(self) -> tuple[int, ...]:
        return self.array.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.array.dtype

    @property
    def buffer(self) -> str:
        return self.block.space

    @property
    def onchip(self) -> bool:
        return self.block.space in ONCHIP

    def __getitem__(self, index: Any) -> NkiTensor:
        index = index if isinstance(index, tuple) else (index,)
        if len(index) > self.array.ndim:
            raise Violation(f"{len(index)} indices for {self.block.name} of shape {self.shape}")
        made: list[Any] = []
        for i, size in zip(index, self.shape, strict=False):
            if isinstance(i, slice):
                start, stop = i.start or 0, size if i.stop is None else i.stop
                if not 0 <= start < stop <= size:
                    raise Violation(f"slice {start}:{stop} of {size} in {self.block.name}")
                made.append(slice(start, stop, i.step))
            else:
                at = int(i)
                if not 0 <= at < size:
                    raise Violation(f"index {at} of {size} in {self.block.name}")
                made.append(slice(at, at + 1) if self.onchip else at)
        return NkiTensor(self.block, self.array[tuple(made)])

    def reshape(self, shape: Sequence[int]) -> NkiTensor:
        """Another shape of the same elements in the same order; on chip the partitions stay."""
        if self.onchip and next(iter(shape)) != self.shape[0]:
            raise Violation(f"reshape moves partitions: {self.shape} to {tuple(shape)}")
        made = self.array.reshape(tuple(shape))
        if not np.shares_memory(made, self.array):
            raise Violation(f"{self.block.name} of shape {self.shape} is no view of shape {tuple(shape)}")
        return NkiTensor(self.block, made)

    def ap(self, pattern: Sequence[Sequence[int]], offset: int = 0, scalar_offset: Any = None) -> NkiTensor:
        """An access pattern [[step, count], ...] in elements; on chip the first pair is the partition's.

        Args: scalar_offset: a register or loop variable whose value is added to the offset.
        """
        size, a = self.array.itemsize, self.array
        offset += 0 if scalar_offset is None else int(scalar_offset)
        if self.onchip:
            row = self.block.base.strides[0]
            steps = [pattern[0][0] * row] + [step * size for step, _ in pattern[1:]]
            last = offset + sum(step * (count - 1) for step, count in pattern[1:])
            fits = last < a[0].size and pattern[0][1] * max(pattern[0][0], 1) <= self.shape[0]
            flat = a.reshape(a.shape[0], -1)[:, offset:]
        else:
            steps = [step * size for step, _ in pattern]
            last = offset + sum(step * (count - 1) for step, count in pattern)
            fits, flat = last < a.size, a.reshape(-1)[offset:]
        if offset < 0 or not fits or not np.shares_memory(flat, a):
            raise Violation(f"pattern {pattern} at {offset} leaves {self.block.name} of shape {self.shape}")
        return NkiTensor(self.block, as_strided(flat, [count for _, count in pattern], steps))

    def broadcast(self, dim: int, size: int) -> NkiTensor:
        """Repeats a dimension of size 1 without copying."""
        shape = list(self.shape)
        if shape[dim] != 1:
            raise Violation(f"only a dimension of 1 can be repeated, {self.block.name} has {self.shape}")
        shape[dim] = size
        return NkiTensor(self.block, np.broadcast_to(self.array, shape))

    def box(self) -> Box:
        """The bounds of what it touches."""
        self.block.alive()
        a, base = self.array, self.block.base
        at = address(a) - self.block.first
        row = base.strides[0] if base.ndim > 1 else base.nbytes or 1
        first, column = divmod(at, row)
        if a.ndim > 1 and base.ndim > 1 and abs(a.strides[0]) >= row:
            rows = (a.shape[0] - 1) * (a.strides[0] // row) + 1
            inner = sum((n - 1) * s for n, s in zip(a.shape[1:], a.strides[1:], strict=True))
        else:
            rows, inner = 1, sum((n - 1) * s for n, s in zip(a.shape, a.strides, strict=True))
        end = column + inner + a.itemsize
        if base.ndim > 1 and end > row:  # runs over several rows of a tensor in HBM
            rows, column, end = rows + (end - 1) // row, 0, row
        return Box(self.block, first, first + rows, column, end)

    def floats(self) -> NDArray[np.float32]:
        return self.array.astype(np.float32)

    def put(self, values: NDArray[Any]) -> None:
        """Store what an engine computed in float32: whole numbers are rounded half to even and saturate."""
        if values.shape != self.shape:
            raise Violation(f"a result of shape {values.shape} does not fit {self.block.name} {self.shape}")
        self.array[...] = cast(values, self.dtype)


def cast(values: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    """From float32 as the engines convert: round to nearest even; whole numbers saturate, NaN becomes 0."""
    if np.issubdtype(dtype, np.integer):
        info = np.iinfo(dtype)
        wide = np.rint(np.nan_to_num(values.astype(np.float64), nan=0.0, posinf=info.max, neginf=info.min))
        return np.clip(wide, info.min, info.max).astype(dtype)
    with np.errstate(over="ignore"):
        return values.astype(dtype)


def poison(array: NDArray[Any]) -> None:
    """Fill fresh memory with what no kernel may use: NaN, or 4."""
    if array.dtype.names:
        array["x4"][...] = np.nan
    else:
        array[...] = INT_POISON if np.issubdtype(array.dtype, np.integer) else np.nan

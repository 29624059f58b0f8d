"""Instructions that move or make data, and registers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reverie.kernels.neuron.nkisim.language import VirtualRegister
from reverie.kernels.neuron.nkisim.machine import machine
from reverie.kernels.neuron.nkisim.rules import F, elementwise, engine, flat, refuse, same
from reverie.kernels.neuron.nkisim.tensor import NkiTensor, cast


def dma_copy(
    dst: NkiTensor, src: NkiTensor, priority: Any = None, oob_mode: Any = None, dge_mode: Any = None,
    engine: Any = None, name: str | None = None,
) -> None:  # fmt: skip
    """Between HBM and SBUF; the types may differ (cast through float32)."""
    m = machine()
    refuse("psum" in (dst.buffer, src.buffer), "DMA does not reach PSUM in NKI 0.3 and later")
    refuse(dst.array.size != src.array.size, f"dma_copy: {src.shape} into {dst.block.name} {dst.shape}")
    c = m.constants
    rows = max(dst.shape[0] if dst.onchip else src.shape[0], 1)
    size = max(src.array.nbytes, dst.array.nbytes)
    least = c["dma.least_row_bytes"] * rows if size // rows < c["dma.least_row_bytes"] else size
    m.issue("dma", "dma_copy", max(size, least) / c["dma.bytes_per_ns"], [src], [dst])
    if m.computing:
        values = src.array if src.dtype == dst.dtype else cast(src.array.astype(F), dst.dtype)
        dst.array[...] = values.reshape(dst.shape)


def tensor_copy(dst: NkiTensor, src: NkiTensor, engine: engine = engine.unknown, name: str | None = None) -> None:
    same("tensor_copy", dst, src)
    elementwise("tensor_copy", engine, "vector", dst, [src], 1, lambda: flat(src))


def memset(dst: NkiTensor, value: float, engine: engine = engine.unknown, name: str | None = None) -> None:
    elementwise("memset", engine, "vector", dst, [], 1, lambda: np.full((dst.shape[0], 1), value, F))


def iota(
    dst: NkiTensor, pattern: Sequence[Sequence[int]], offset: int = 0, channel_multiplier: int = 0,
    name: str | None = None,
) -> None:  # fmt: skip
    """offset + channel_multiplier * partition + the pattern's steps."""

    def compute() -> NDArray[Any]:
        free = np.zeros(1, np.int64)
        for step, count in pattern:
            free = (free[:, None] + step * np.arange(count)).reshape(-1)
        return (offset + channel_multiplier * np.arange(dst.shape[0])[:, None] + free).astype(F)

    elementwise("iota", engine.gpsimd, "gpsimd", dst, [], 1, compute)


def register_alloc(x: int | None = None) -> VirtualRegister:
    return VirtualRegister(0 if x is None else int(x))


def register_move(dst: VirtualRegister, src: Any) -> None:
    dst.value = int(src)


def register_load(dst: VirtualRegister, src: NkiTensor) -> None:
    """One 32-bit whole number from memory."""
    refuse(src.array.size != 1 or src.array.itemsize != 4, f"register_load reads one 32-bit number, got {src.shape}")
    if machine().computing:
        dst.value = int(src.array.reshape(-1)[0])

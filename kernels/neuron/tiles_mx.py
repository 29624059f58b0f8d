"""Linear layers in MXFP8 for Trainium3: bytes become packed 8-bit floats on chip, weights were packed before.

A pass contracts 4 P channels, P of 32, 64 or 128: channel j * P + p of the pass is element j of partition p.
"""

from typing import Any

import nki.isa as nisa
import nki.language as nl

from reverie.kernels.neuron.tiles import BANK, finish


def quantised(x: Any, sizes: tuple[int, ...], zero: float, n0: int, n1: int, at: int) -> Any:
    """Pixels n0 to n1 of a map less its zero-point: per pass the packed numbers (P, n) and their scales (P, n).

    sizes: channels of each pass; what it takes: 8 n bytes a partition and 5 n a pass.
    """
    n, place, c = n1 - n0, at + 8 * (n1 - n0), 0
    passes: tuple[Any, ...] = ()
    for size in sizes:
        p = size // 4
        raw = nl.ndarray((p, 4, n), nl.bfloat16, buffer=nl.sbuf, name="raw", address=(0, at))
        for j in range(4):
            nisa.dma_copy(raw[:, j : j + 1, :], x[c + j * p : c + j * p + p, n0:n1])
        nisa.tensor_scalar(raw, raw, nl.subtract, zero, engine=nisa.engine.scalar)
        packed = nl.ndarray((p, n), nl.float8_e4m3fn_x4, buffer=nl.sbuf, name="packed", address=(0, place))
        scales = nl.ndarray((p, n), nl.uint8, buffer=nl.sbuf, name="scales", address=(0, place + 4 * n))
        nisa.quantize_mx(packed, raw.ap(pattern=[[1, p], [1, n], [n, 4]]), scales)
        passes = (*passes, (packed, scales))
        place += (5 * n + 3) // 4 * 4
        c += size
    return passes


def linear(
    passes: Any, weights: Any, scales: Any, vectors: Any, skip: Any, y: Any, outs: int, chunk: int, m: int, active: int,
    n0: int, n1: int, made_at: int, scratch: int, turn: int,
) -> None:  # fmt: skip
    """One chunk of m outs of the pixels that `quantised` read, finished and stored."""
    n, first = n1 - n0, chunk * m
    acc = nl.ndarray((m, 1, n), nl.float32, buffer=nl.psum, name="acc", address=(0, BANK * (turn % 4)))
    for i in range(len(passes)):
        packed, scale = passes[i]
        p, column = packed.shape[0], i * outs + first
        held, held_scale = weights[0:p, column : column + m], scales[0:p, column : column + m]
        nisa.nc_matmul_mx(acc, held, packed, held_scale, scale, accumulate=i > 0)
    made = nl.ndarray((m, 1, n), nl.uint8, buffer=nl.sbuf, name="made", address=(0, made_at))
    kept = None
    if skip is not None:
        kept = nl.ndarray((m, 1, n), nl.bfloat16, buffer=nl.sbuf, name="skip", address=(0, made_at + n))
        nisa.dma_copy(kept, skip[first : first + m, n0:n1])
    finish(acc, made, vectors, chunk, kept, active, scratch + 4096 * (turn % 4), turn)
    nisa.dma_copy(y[first : first + m, n0:n1], made)

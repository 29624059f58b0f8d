"""TensorE: matrix products into PSUM, in bfloat16, float32 and MX, and transposes.

K contraction, M columns of the stationary matrix, N of the moving one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reverie.kernels.neuron.nkisim import mx
from reverie.kernels.neuron.nkisim.machine import machine
from reverie.kernels.neuron.nkisim.rules import F, engine, flat, free, onchip, refuse
from reverie.kernels.neuron.nkisim.tensor import NkiTensor, Violation


def nc_matmul(
    dst: NkiTensor, stationary: NkiTensor, moving: NkiTensor, is_stationary_onezero: bool = False,
    is_moving_onezero: bool = False, is_transpose: bool = False, accumulate: bool | None = None,
    tile_position: Any = (), tile_size: Any = (), perf_mode: Any = None, name: str | None = None,
) -> None:  # fmt: skip
    """dst[PSUM] (+)= stationary(K, M).T @ moving(K, N); `accumulate` adds to what the bank holds."""
    k, n = moving.shape[0], free(moving)
    _matmul_rules(dst, stationary, moving, free(stationary), n)
    if stationary.shape[0] != k:
        raise Violation(f"nc_matmul contracts {stationary.shape[0]} with {k} partitions")
    wide = [t.dtype == np.float32 for t in (stationary, moving)]
    refuse(wide[0] != wide[1], "nc_matmul: both operands are float32, or neither is")
    for t in (stationary, moving):
        if t.dtype.kind in "iu":
            raise Violation(f"nc_matmul takes floats, {t.block.name} holds {t.dtype}")
    factor = machine().constants["tensor.fp32_factor"] if wide[0] else 1
    _multiply("nc_matmul", dst, [stationary, moving], n, factor, k * free(stationary) * n)
    if machine().computing:
        with np.errstate(all="ignore"):
            _gather(dst, flat(stationary).T @ flat(moving), accumulate)


def nc_matmul_mx(
    dst: NkiTensor, stationary: NkiTensor, moving: NkiTensor, stationary_scale: NkiTensor, moving_scale: NkiTensor,
    tile_position: Any = None, tile_size: Any = None, accumulate: bool | None = None, name: str | None = None,
) -> None:  # fmt: skip
    """As nc_matmul on MX operands: (P, M) and (P, N) of four packed 8-bit floats each, 4 P contracted rows."""
    p, m, n = stationary.shape[0], free(stationary), free(moving)
    for data, scale in ((stationary, stationary_scale), (moving, moving_scale)):
        refuse(data.dtype not in mx.PACKED, f"nc_matmul_mx takes packed 8-bit floats, got {data.dtype}")
        refuse(scale.shape != data.shape, f"scales lie as {data.shape}, {scale.block.name} is {scale.shape}")
        refuse(scale.array.itemsize != 1, f"a scale is e8m0, {scale.block.name} holds {scale.dtype}")
    _matmul_rules(dst, stationary, moving, m, n)
    refuse(moving.shape[0] != p or p not in (32, 64, 128), f"MX operands span 32, 64 or 128 partitions, got {p}")
    refuse(m % 2 != 0, f"MX needs an even number of stationary columns, got {m}")
    _multiply("nc_matmul_mx", dst, [stationary, moving, stationary_scale, moving_scale], n, 1, 4 * p * m * n)
    if machine().computing:
        _gather(dst, _mx(stationary, stationary_scale).T @ _mx(moving, moving_scale), accumulate)


def _mx(data: NkiTensor, scale: NkiTensor) -> NDArray[np.float32]:
    return mx.values(data.array.reshape(data.shape[0], -1), scale.array.reshape(data.shape[0], -1))


def _matmul_rules(dst: NkiTensor, stationary: NkiTensor, moving: NkiTensor, m: int, n: int) -> None:
    """Messages are made where a rule is broken only: there are more products than anything else."""
    onchip(dst, stationary, moving)
    if dst.buffer != "psum":
        raise Violation(f"matmuls write PSUM, {dst.block.name} lies in {dst.buffer}")
    if stationary.buffer != "sbuf" or moving.buffer != "sbuf":
        raise Violation("matmuls read SBUF")
    if m > 128 or n > 512:
        raise Violation(f"a matmul has at most 128 x 512 results, got {m} x {n}")
    if (dst.shape[0], free(dst)) != (m, n):
        raise Violation(f"the result is {m} x {n}, {dst.block.name} is {dst.shape}")
    if dst.dtype != np.float32:
        raise Violation(f"PSUM accumulates float32, {dst.block.name} holds {dst.dtype}")
    box, bank = dst.box(), int(machine().constants["memory.psum_bank_bytes"])
    if box.column // bank != (box.column_end - 1) // bank:
        raise Violation(
            f"{dst.block.name} spans two banks of PSUM: bytes {box.column} to {box.column_end}",
        )


def _multiply(name: str, dst: NkiTensor, reads: Sequence[NkiTensor], n: int, factor: float, macs: int) -> None:
    c = machine().constants
    cycles = max(n * factor, c["tensor.least_cycles"], c["tensor.load_cycles"])
    machine().issue("tensor", name, cycles / c["clock.tensor_ghz"], reads, [dst], c["tensor.latency_ns"], macs)


def _gather(dst: NkiTensor, product: NDArray[Any], accumulate: bool | None) -> None:
    refuse(accumulate is None, "say accumulate=True or False: what was written first is not tracked here")
    product = product.astype(F).reshape(dst.shape)
    dst.array[...] = dst.array + product if accumulate else product


def nc_transpose(dst: NkiTensor, data: NkiTensor, engine: engine = engine.unknown, name: str | None = None) -> None:
    """dst(N, P) = data(P, N).T through TensorE, SBUF to PSUM, of the same type."""
    onchip(dst, data)
    rows, columns = data.shape[0], free(data)
    refuse(columns > 128, f"nc_transpose turns at most 128 x 128, got {rows} x {columns}")
    refuse(dst.buffer != "psum" or data.buffer != "sbuf", "TensorE transposes from SBUF to PSUM")
    refuse(dst.dtype != data.dtype, f"nc_transpose keeps the type: {data.dtype} into {dst.dtype}")
    refuse((dst.shape[0], free(dst)) != (columns, rows), f"{data.shape} turned does not fit {dst.shape}")
    factor = machine().constants["tensor.fp32_factor"] if data.dtype == np.float32 else 1
    _multiply("nc_transpose", dst, [data], rows, factor, 0)
    if machine().computing:
        dst.array[...] = data.array.reshape(rows, columns).T.reshape(dst.shape)

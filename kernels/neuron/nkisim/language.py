"""`nki.language`: memory, types and loops."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import ml_dtypes
import numpy as np

from reverie.kernels.neuron.nkisim import mx
from reverie.kernels.neuron.nkisim.machine import machine
from reverie.kernels.neuron.nkisim.tensor import NkiTensor, Violation, poison

sbuf, psum, private_hbm, shared_hbm = "sbuf", "psum", "private_hbm", "shared_hbm"
float32, float16, bfloat16 = np.dtype(np.float32), np.dtype(np.float16), np.dtype(ml_dtypes.bfloat16)
int8, uint8, int32, uint32 = np.dtype(np.int8), np.dtype(np.uint8), np.dtype(np.int32), np.dtype(np.uint32)
float8_e4m3fn, float8_e5m2, float8_e4m3fn_x4, float8_e5m2_x4 = mx.E4M3, mx.E5M2, mx.E4M3_X4, mx.E5M2_X4
float8_e8m0fnu = np.dtype(ml_dtypes.float8_e8m0fnu)

add, subtract, multiply, maximum, minimum = "add", "subtract", "multiply", "maximum", "minimum"
equal, not_equal, greater, greater_equal, less, less_equal = (
    "equal", "not_equal", "greater", "greater_equal", "less", "less_equal",
)  # fmt: skip
copy, square, sqrt, rsqrt, exp, relu, sigmoid, silu = (
    "copy", "square", "sqrt", "rsqrt", "exp", "relu", "sigmoid", "silu",
)  # fmt: skip
abs = "abs"


class tile_size:
    """Sizes in elements unless they say bytes."""

    pmax = 128
    gemm_stationary_fmax = 128
    gemm_moving_fmax = 512
    psum_bank_fmax = 512
    psum_bank_fmax_bytes = 2048
    psum_num_banks = 8


def ds(start: int, size: int) -> slice:
    return slice(int(start), int(start) + size)


def ndarray(
    shape: Sequence[int], dtype: Any, buffer: str = sbuf, name: str = "", address: tuple[int, int] | None = None
) -> NkiTensor:
    """Memory.  address: (partition, byte) on chip; fresh memory holds NaN, or 4."""
    if buffer in (sbuf, psum):
        return machine().allocate(buffer, name or "tensor", shape, dtype, address)
    if buffer not in (private_hbm, shared_hbm):
        raise Violation(f"there is no memory {buffer}")
    shared = machine().shared if buffer == shared_hbm else None
    if shared is not None and name in shared:  # the other core of a pair came first
        return shared[name]
    array = np.empty(tuple(shape), dtype)
    poison(array)
    made = machine().hbm(name or "tensor", array, buffer)
    if shared is not None:
        shared[name] = made
    return made


class VirtualRegister:
    """A whole number that the engines know and the tracer does not."""

    def __init__(self, value: int) -> None:
        self.value = value

    def __int__(self) -> int:
        return self.value

    def __index__(self) -> int:
        raise Violation("a register cannot shape or index a trace: pass it as scalar_offset")

    def __bool__(self) -> bool:
        raise Violation("a trace cannot branch on a register")

    def __mul__(self, other: int) -> VirtualRegister:
        return VirtualRegister(self.value * other)

    def __add__(self, other: int) -> VirtualRegister:
        return VirtualRegister(self.value + other)


def fori_loop(lower: int, upper: int, body: Callable[[Any], None], step: int = 1) -> None:
    for value in range(lower, upper, step):
        body(VirtualRegister(value))


@contextmanager
def no_reorder() -> Iterator[None]:
    yield


def program_id(axis: int = 0) -> int:
    return machine().core


def num_programs(axes: int = 0) -> int:
    return 1 if machine().shared is None else 2

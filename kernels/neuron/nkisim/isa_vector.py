"""ScalarE and VectorE: element by element, reductions, searches, and quantisation to MX."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reverie.kernels.neuron.nkisim import mx
from reverie.kernels.neuron.nkisim.machine import machine
from reverie.kernels.neuron.nkisim.rules import (
    F,
    elementwise,
    engine,
    flat,
    free,
    onchip,
    operand,
    reduce_cmd,
    refuse,
    same,
    tensors,
)  # fmt: skip
from reverie.kernels.neuron.nkisim.tensor import NkiTensor

BINARY: dict[str, Callable[[Any, Any], Any]] = {
    "add": np.add, "subtract": np.subtract, "multiply": np.multiply, "maximum": np.maximum, "minimum": np.minimum,
    "equal": np.equal, "not_equal": np.not_equal, "greater": np.greater, "greater_equal": np.greater_equal,
    "less": np.less, "less_equal": np.less_equal,
}  # fmt: skip
UNARY: dict[str, tuple[Callable[[Any], Any], float, float]] = {  # the function, and where it is valid
    "copy": (lambda x: x, -np.inf, np.inf),
    "abs": (np.abs, -np.inf, np.inf),
    "square": (np.square, -np.inf, np.inf),
    "relu": (lambda x: np.maximum(x, F(0)), -np.inf, np.inf),
    "exp": (np.exp, -np.inf, np.inf),
    "sigmoid": (lambda x: 1 / (1 + np.exp(-x)), -np.inf, np.inf),
    "silu": (lambda x: x / (1 + np.exp(-x)), -np.inf, np.inf),
    "sqrt": (np.sqrt, 2.0**-116, 2.0**118),
    "rsqrt": (lambda x: 1 / np.sqrt(x), 2.0**-87, 2.0**97),
    "sin": (np.sin, -np.pi, np.pi),
    "log": (np.log, 2.0**-64, 2.0**64),
}
REDUCE: dict[str, Callable[..., Any]] = {
    "add": np.add.reduce,
    "maximum": np.maximum.reduce,
    "minimum": np.minimum.reduce,
}


def activation(
    dst: NkiTensor, op: str, data: NkiTensor, bias: NkiTensor | None = None, scale: Any = 1.0,
    reduce_op: str | None = None, reduce_res: NkiTensor | None = None, reduce_cmd: Any = reduce_cmd.idle,
    name: str | None = None,
) -> None:  # fmt: skip
    """dst = op(data * scale + bias) on ScalarE; reduce_res gets the sum over the free dimension."""
    same("activation", dst, data)
    refuse(op not in UNARY, f"there is no activation {op!r}")
    times, plus = operand("scale", data, scale), F(0) if bias is None else operand("bias", data, bias)
    function, low, high = UNARY[op]

    def compute() -> NDArray[Any]:
        x = flat(data) * times + plus
        real = x[np.isfinite(x)]
        refuse(
            bool(real.size) and (real.min() < low or real.max() > high),
            f"activation {op} is valid from {low:g} to {high:g}, got {real.min() if real.size else 0:g} to "
            f"{real.max() if real.size else 0:g}",
        )
        y = function(x).astype(F)
        if reduce_res is not None:
            reduce_res.put(y.sum(1, dtype=F).reshape(reduce_res.shape))
        return y

    also = [] if reduce_res is None else [reduce_res]
    elementwise(f"activation {op}", engine.scalar, "scalar", dst, [data, *tensors(bias, scale)], 1, compute, also=also)


def exponential(
    dst: NkiTensor, src: NkiTensor, max_value: Any = 0.0, reduce_res: NkiTensor | None = None,
    reduce_cmd: Any = reduce_cmd.idle, reduce_init: float = 0.0, name: str | None = None,
) -> None:  # fmt: skip
    """dst = exp(src - max_value) on VectorE of Trainium3; reduce_res gets the sum over the free dimension."""
    same("exponential", dst, src)
    top = operand("max_value", src, max_value)

    def compute() -> NDArray[Any]:
        y = np.exp(flat(src) - top).astype(F)
        if reduce_res is not None:
            reduce_res.put((y.sum(1, dtype=F) + F(reduce_init)).reshape(reduce_res.shape))
        return y

    also = [] if reduce_res is None else [reduce_res]
    factor = machine().constants["vector.exponential_factor"]
    elementwise("exponential", engine.vector, "vector", dst, [src, *tensors(max_value)], 1, compute, factor, also)


def tensor_tensor(
    dst: NkiTensor, data1: NkiTensor, data2: NkiTensor, op: str, engine: engine = engine.unknown,
    name: str | None = None,
) -> None:  # fmt: skip
    same("tensor_tensor", dst, data1, data2)
    refuse(data1.buffer == data2.buffer == "psum", "tensor_tensor: at most one input lies in PSUM")
    compute = lambda: BINARY[op](flat(data1), flat(data2)).astype(F)
    elementwise(f"tensor_tensor {op}", engine, "vector", dst, [data1, data2], 2, compute)


def tensor_scalar(
    dst: NkiTensor, data: NkiTensor, op0: str, operand0: Any, reverse0: bool = False, op1: str | None = None,
    operand1: Any = None, reverse1: bool = False, engine: engine = engine.unknown, name: str | None = None,
) -> None:  # fmt: skip
    """(data op0 operand0) op1 operand1; operands are numbers or one a partition."""
    same("tensor_scalar", dst, data)
    first = operand("operand0", data, operand0)
    second = None if op1 is None else operand("operand1", data, operand1)

    def compute() -> NDArray[Any]:
        x = _ordered(op0, flat(data), first, reverse0)
        return x if op1 is None else _ordered(op1, x, second, reverse1)

    reads = [data, *tensors(operand0, operand1)]
    elementwise(f"tensor_scalar {op0}", engine, "vector", dst, reads, 1, compute)


def scalar_tensor_tensor(
    dst: NkiTensor, data: NkiTensor, op0: str, operand0: Any, op1: str, operand1: NkiTensor, reverse0: bool = False,
    reverse1: bool = False, name: str | None = None,
) -> None:  # fmt: skip
    """(data op0 operand0) op1 operand1, where operand1 is a tile."""
    same("scalar_tensor_tensor", dst, data, operand1)
    refuse(data.buffer == operand1.buffer == "psum", "scalar_tensor_tensor: at most one input lies in PSUM")
    first = operand("operand0", data, operand0)
    compute = lambda: _ordered(op1, _ordered(op0, flat(data), first, reverse0), flat(operand1), reverse1)
    reads = [data, operand1, *tensors(operand0)]
    elementwise(f"scalar_tensor_tensor {op0} {op1}", engine.vector, "vector", dst, reads, 2, compute)


def _ordered(op: str, a: Any, b: Any, reverse: bool) -> NDArray[Any]:
    return np.asarray(BINARY[op](b, a) if reverse else BINARY[op](a, b), F)


def tensor_reduce(
    dst: NkiTensor, op: str, data: NkiTensor, axis: Any, negate: bool = False, keepdims: bool = False,
    name: str | None = None,
) -> None:  # fmt: skip
    """Over the trailing free axes; dst is (P, what is left)."""
    onchip(dst, data)
    axes = (axis,) if isinstance(axis, int) else tuple(axis)
    refuse(sorted(axes) != list(range(len(data.shape) - len(axes), len(data.shape))) or 0 in axes,
            f"tensor_reduce takes trailing free axes, got {axes} of {data.shape}")  # fmt: skip
    compute = lambda: (F(-1) if negate else F(1)) * REDUCE[op](data.floats(), axis=axes).reshape(dst.shape[0], -1)
    factor = free(data) / max(free(dst), 1)
    elementwise(f"tensor_reduce {op}", engine.vector, "vector", dst, [data], 1, compute, factor)


def reciprocal(dst: NkiTensor, data: NkiTensor, name: str | None = None) -> None:
    """1 / data on VectorE: eight cycles an element."""
    same("reciprocal", dst, data)
    elementwise("reciprocal", engine.vector, "vector", dst, [data], 1, lambda: 1 / flat(data), 8.0)


def max8(dst: NkiTensor, src: NkiTensor, name: str | None = None) -> None:
    """The eight largest of each partition, (P, 8), falling."""
    refuse(free(dst) != 8 or not 8 <= free(src) <= 16384, f"max8: {src.shape} into {dst.shape}")
    compute = lambda: -np.sort(-flat(src), axis=1)[:, :8]
    elementwise("max8", engine.vector, "vector", dst, [src], 1, compute, free(src) / 8)


def nc_find_index8(dst: NkiTensor, data: NkiTensor, vals: NkiTensor, name: str | None = None) -> None:
    """Where each of eight values (P, 8) is first found in its partition."""
    refuse(free(dst) != 8 or free(vals) != 8 or dst.dtype != np.uint32, "nc_find_index8 gives uint32 of (P, 8)")

    def compute() -> NDArray[Any]:
        return (flat(data)[:, :, None] == flat(vals)[:, None, :]).argmax(1).astype(np.float64)

    elementwise("nc_find_index8", engine.vector, "vector", dst, [data, vals], 1, compute, free(data) / 8)


def quantize_mx(dst: NkiTensor, src: NkiTensor, dst_scale: NkiTensor, name: str | None = None) -> None:
    """bfloat16 or float16 (P, 4 N) to MX: packed (P, N), and a power of two per 8 partitions x 4 elements."""
    onchip(dst, src, dst_scale)
    refuse(any(t.buffer != "sbuf" for t in (dst, src, dst_scale)), "quantize_mx works in SBUF")
    refuse(dst.dtype not in mx.PACKED, f"quantize_mx writes packed 8-bit floats, got {dst.dtype}")
    p, n = src.shape[0], free(src)
    refuse(src.array.itemsize != 2 or p not in (32, 64, 96, 128) or n % 4 != 0,
           f"quantize_mx takes 16-bit floats of 32, 64, 96 or 128 partitions, got {src.dtype} {src.shape}")  # fmt: skip
    refuse((dst.shape[0], free(dst)) != (p, n // 4), f"{src.shape} packed is {(p, n // 4)}, got {dst.shape}")
    refuse(dst_scale.shape != dst.shape or dst_scale.array.itemsize != 1,
           f"scales are e8m0 and lie as {dst.shape}, got {dst_scale.dtype} {dst_scale.shape}")  # fmt: skip
    c = machine().constants
    ns = (n * c["vector.quantize_factor"] + c["vector.fixed_cycles"]) / c["clock.other_ghz"]
    machine().issue("vector", "quantize_mx", ns, [src], [dst, dst_scale])
    if machine().computing:
        made, scales = mx.quantize(flat(src), mx.PACKED[dst.dtype])
        dst.array["x4"][...] = made.reshape(*dst.shape, 4)
        dst_scale.array.view(np.uint8)[mx.scale_rows(p)] = scales.reshape(-1, *dst_scale.shape[1:])

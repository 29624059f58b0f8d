"""The same convolution in NumPy, slow on purpose: the oracle of every path.

Integer sums are exact; the epilogue is float32, one operation at a time, in the order of kernels/cpu/conv.h.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from reverie.kernels.conv import U8, ZERO_POINT, Activation, Conv


def run(conv: Conv, x: U8, residual: U8 | None = None, beside: U8 | None = None) -> U8:
    """As reverie.kernels.conv.run."""
    picture = x if beside is None else np.concatenate((x, beside), 2)
    sums = _sums(conv, picture.astype(np.int64)) + conv.bias.astype(np.int64)
    f32 = np.float32
    t = sums.astype(f32) * conv.scale + conv.shift
    t = _activate(conv, t)
    t = _shuffled(t) if conv.shuffle else t
    if residual is not None:
        t = t + residual.astype(f32) * f32(conv.residual_scale)
    y: U8 = np.clip(np.rint(t), 0, 255).astype(np.uint8)
    return y if conv.table is None else conv.table[y]


def _sums(conv: Conv, x: NDArray[np.int64]) -> NDArray[np.int64]:
    weight, kernel = conv.weight.astype(np.int64), conv.kernel
    if kernel == 2:
        return sum(x[dy::2, dx::2] @ weight[:, dy, dx].T for dy in range(2) for dx in range(2))  # type: ignore[return-value]
    pad = kernel // 2
    padded = np.pad(x, ((pad, pad), (pad, pad), (0, 0)), constant_values=ZERO_POINT)
    height, width = x.shape[:2]
    return sum(
        padded[dy : dy + height, dx : dx + width] @ weight[:, dy, dx].T for dy in range(kernel) for dx in range(kernel)
    )  # type: ignore[return-value]


def _activate(conv: Conv, t: NDArray[np.float32]) -> NDArray[np.float32]:
    f32 = np.float32
    if conv.activation == Activation.RELU:
        return np.maximum(t, f32(ZERO_POINT))
    if conv.activation == Activation.HARD_SWISH:
        u = t - f32(ZERO_POINT)
        return u * np.clip(u * f32(conv.gate) + f32(0.5), f32(0), f32(1)) + f32(ZERO_POINT)
    return t


def _shuffled(t: NDArray[np.float32]) -> NDArray[np.float32]:
    height, width, outs = t.shape
    corners = t.reshape(height, width, 2, 2, outs // 4)
    return corners.transpose(0, 2, 1, 3, 4).reshape(2 * height, 2 * width, outs // 4)

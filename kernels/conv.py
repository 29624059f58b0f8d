"""One int8 convolution with its epilogue: the operator that `nano` spends its time in.

Y, X picture, C channels, O outs.  Activations are u8 with zero-point 128, weights s8 per out; the zero-point's share of
every sum is folded into the bias, padding is the zero-point, so all paths and machines give the same bits.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from reverie.kernels import _cpu

ZERO_POINT = 128
U8 = NDArray[np.uint8]


class Activation(IntEnum):
    """What happens between the sum and the byte; `TABLE` looks the rounded byte up."""

    NONE = 0
    RELU = 1
    HARD_SWISH = 2
    TABLE = 3


@dataclass(frozen=True, slots=True)
class Conv:
    """A convolution of kernel 1, 2 (stride 2: unshuffle and 1x1) or 3 (padded), ready to run.

    y = act((x * weight + bias) * scale + shift) [+ residual * residual_scale], rounded half to even, clamped to 0..255.
    """

    weight: NDArray[np.int8]  # (O, kernel, kernel, C), or (O, 1, 1, C + C beside)
    scale: NDArray[np.float32]  # (O,)
    shift: NDArray[np.float32]  # (O,), with the output's zero-point
    activation: Activation = Activation.NONE
    gate: float = 0.0  # of hard-swish: output step / 6
    table: U8 | None = None  # (256,)
    residual_scale: float = 0.0
    shuffle: bool = False  # outs (dy, dx, channel) become a picture twice as large

    @property
    def kernel(self) -> int:
        return int(self.weight.shape[1])

    @property
    def bias(self) -> NDArray[np.int32]:
        """-zero-point * sum of weights: takes the zero-point out of every sum."""
        return (-ZERO_POINT * self.weight.astype(np.int32).sum((1, 2, 3))).astype(np.int32)

    def packed(self) -> NDArray[np.int8]:
        """Weights as the tiles read them: [O / 16][k / 4][16 outs][4 ks], k ordered (ky, kx, channel)."""
        outs = len(self.weight)
        flat = self.weight.reshape(outs // 16, 16, -1, 4)
        return np.ascontiguousarray(flat.transpose(0, 2, 1, 3)).reshape(-1)

    def shape(self, x: U8) -> tuple[int, int, int]:
        """Shape of y for an x of (Y, X, C)."""
        height, width = (n // 2 if self.kernel == 2 else n for n in x.shape[:2])
        outs = len(self.weight)
        return (2 * height, 2 * width, outs // 4) if self.shuffle else (height, width, outs)


def run(
    conv: Conv, x: U8, residual: U8 | None = None, beside: U8 | None = None, path: str = "", workers: int = 1
) -> U8:
    """y as u8.

    Args:
        residual: as y; added before rounding.
        beside: (Y, X, C) concatenated to x, kernel 1 only.
        path: one of `_cpu.paths()`, or "" for the quickest; the bits are the same.
    Raises: ValueError if shapes do not fit or the path cannot run here.
    """
    y = np.empty(conv.shape(x), np.uint8)
    timed(conv, x, y, residual, beside, path, workers, 1)
    return y


def timed(
    conv: Conv, x: U8, y: U8, residual: U8 | None, beside: U8 | None, path: str, workers: int, repeat: int,
    packed: NDArray[np.int8] | None = None,
) -> float:  # fmt: skip
    """Fill y `repeat` times and return the seconds of one time."""
    return _cpu.conv(
        x, conv.packed() if packed is None else packed, conv.bias, conv.scale, conv.shift, y, conv.kernel, conv.shuffle,
        int(conv.activation), conv.gate, conv.table, residual, conv.residual_scale, beside, path, workers, repeat,
    )  # fmt: skip

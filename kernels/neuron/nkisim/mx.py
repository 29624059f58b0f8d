"""Microscaling (MX) as QuantizeMX and MatmulMX of Trainium3 have it.

A group of 32 contracted elements (8 partitions x 4) shares a power of two, kept as e8m0, of exponent
floor(log2 amax) - (Emax - 1), Emax 8 for e4m3fn and 15 for e5m2; a group of zeros has 2^-127.  Scales lie in
the quadrant of their data: of 32 partitions, the first four hold them, a group of eight each.
Source: NKI 0.6, isa.quantize_mx.
"""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
from numpy.typing import NDArray

E4M3, E5M2 = np.dtype(ml_dtypes.float8_e4m3fn), np.dtype(ml_dtypes.float8_e5m2)
E4M3_X4, E5M2_X4 = np.dtype([("x4", E4M3, (4,))]), np.dtype([("x4", E5M2, (4,))])  # four along the free dimension
PACKED = {E4M3_X4: E4M3, E5M2_X4: E5M2}
EMAX = {E4M3: 8, E5M2: 15}
BIAS, ROWS, QUADRANT = 127, 8, 32


def scale_rows(partitions: int) -> NDArray[np.int64]:
    """The partition that holds the scale of each group of eight, in order."""
    groups = np.arange(partitions // ROWS)
    return groups // 4 * QUADRANT + groups % 4


def quantize(x: NDArray[np.float32], dtype: np.dtype[Any]) -> tuple[NDArray[Any], NDArray[np.uint8]]:
    """Args: x: (P, 4 N), P a multiple of 8.  Returns: 8-bit floats (P, N, 4) and e8m0 scales by group (P / 8, N)."""
    groups = x.reshape(-1, ROWS, x.shape[1] // 4, 4)
    top = np.abs(groups).max((1, 3))
    with np.errstate(divide="ignore"):
        power = np.where(top > 0, np.floor(np.log2(top.astype(np.float64))) - (EMAX[dtype] - 1), -BIAS)
    power = np.clip(power, -BIAS, BIAS)
    scaled = groups / np.exp2(power)[:, None, :, None]
    limit = float(ml_dtypes.finfo(dtype).max)
    return np.clip(scaled, -limit, limit).astype(dtype).reshape(x.shape[0], -1, 4), (power + BIAS).astype(np.uint8)


def values(x: NDArray[Any], scales: NDArray[Any]) -> NDArray[np.float32]:
    """Packed (P, N) and its scales in their quadrants as float32 (4 P, N): the contracted rows first."""
    p, n = x.shape
    power = np.exp2(scales[scale_rows(p)].view(np.uint8).astype(np.float32) - BIAS)
    groups = x["x4"].astype(np.float32).reshape(-1, ROWS, n, 4) * power[:, None, :, None]
    return np.ascontiguousarray(groups.reshape(p, n, 4).transpose(0, 2, 1)).reshape(4 * p, n)

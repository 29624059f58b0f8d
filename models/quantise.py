"""Weights and activations of `nano` as bytes: W8A8, symmetric per output, one step per activation.

An activation's byte q stands for (q - zero) * step.  Weights carry their input's step, so a sum of products times the
output's scale is the real value; the zero-point's share of every sum is folded into an integer bias.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from reverie.kernels.machine import memory
from reverie.kernels.tasks import LANES

F32 = NDArray[np.float32]
LOWEST_SWISH = -0.375  # of hard-swish


class Quant(NamedTuple):
    """How a real value becomes a byte."""

    step: float
    zero: int = 128

    def bytes(self, x: F32) -> NDArray[np.uint8]:
        return np.clip(np.rint(x / self.step) + self.zero, 0, 255).astype(np.uint8)


PIXEL = Quant(1 / 127.5)  # camera bytes as they are; that 127.5 is the middle is in the stem's bias


def quants(ranges: Mapping[str, float]) -> dict[str, Quant]:
    """Steps of all activations from the largest values that calibration saw; hard-swish is never below -0.375."""
    swish = lambda most: Quant((most - LOWEST_SWISH) / 255, round(-LOWEST_SWISH * 255 / (most - LOWEST_SWISH)))
    positive = lambda name: name == "half" or name.endswith(".h") or name == "head.x"
    return {name: swish(most) if positive(name) else Quant(most / 127) for name, most in ranges.items()}


class Layer(NamedTuple):
    """One packed layer: where it lies in the blob, and how its sums become real values."""

    weight: int
    bias: int
    step: F32  # (O,): real value = sum * step + add
    add: F32  # (O,)


def pack(weight: NDArray[np.int8]) -> NDArray[np.uint8]:
    """(O, k) as the tiles read it: [O / 16][k / 4][16 outs][4 ks]."""
    outs = len(weight)
    tiles = weight.reshape(outs // LANES, LANES, -1, 4).transpose(0, 2, 1, 3)
    return np.ascontiguousarray(tiles).reshape(-1).view(np.uint8)


def per_out(weight: F32) -> tuple[NDArray[np.int8], F32]:
    """Weights (O, ...) as s8 with a step per output."""
    flat = weight.reshape(len(weight), -1)
    step = (np.maximum(np.abs(flat).max(1), 1e-12) / 127).astype(np.float32)
    return np.rint(flat / step[:, None]).astype(np.int8).reshape(weight.shape), step


@dataclass
class Blob:
    """Constants of a model in one piece of memory, each on a cache line of its own."""

    parts: list[NDArray[np.uint8]] = field(default_factory=list)
    size: int = 0

    def put(self, array: NDArray[np.generic]) -> int:
        """Returns the array's offset."""
        raw = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
        offset = self.size
        self.parts.append(raw)
        self.size += -(-raw.nbytes // 64) * 64
        return offset

    def whole(self) -> NDArray[np.uint8]:
        blob, at = memory(self.size), 0
        for part in self.parts:
            blob[at : at + part.nbytes] = part
            at += -(-part.nbytes // 64) * 64
        return blob

    def layer(self, weight: F32, add: F32, inputs: Sequence[tuple[Quant, int]]) -> Layer:
        """
        Args:
            weight: (O, ky, kx, C); add: (O,).
            inputs: how the channels arrive: (quant, number of channels), concatenated.
        """
        steps = np.concatenate([np.full(n, q.step, np.float32) for q, n in inputs])
        zeros = np.concatenate([np.full(n, q.zero, np.int64) for q, n in inputs])
        whole, step = per_out(weight * steps)
        bias = -(whole.astype(np.int64) * zeros).reshape(len(weight), -1).sum(1)
        return Layer(
            self.put(pack(whole.reshape(len(weight), -1))),
            self.put(bias.astype(np.int32)),
            step,
            add.astype(np.float32),
        )

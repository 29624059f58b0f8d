"""`nano` in bytes, of any picture size: packed layers, steps of activations, where a style puts its numbers."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from reverie.kernels.tasks import BLOCK_BYTES
from reverie.models.config import Config
from reverie.models.quantise import F32, PIXEL, Blob, Layer, Quant, quants

NOISE = Quant(4.5 / 127)
SOURCE_PADDED = 16  # channels of the unshuffled picture: (dy, dx, colour) and four of nothing


class Parts:
    """Packed weights and all that lowering and styles need to know about them."""

    def __init__(self, config: Config, weights: Mapping[str, F32], ranges: Mapping[str, float]) -> None:
        self.config, self.quants, self.blob = config, quants(ranges) | {"pixel": PIXEL, "noise": NOISE}, Blob()
        self.weights = weights
        self.layers: dict[str, Layer] = {}
        self.style: dict[str, int] = {}  # offsets in the style buffer
        self.style_bytes = 0
        self._encoder()
        self._decoder()
        self.past = [self.blob.put(weights[f"blocks.{i}.past"].reshape(config.heads, -1)) for i in range(config.blocks)]
        self.constant = self.blob.whole()
        self.blob.parts.clear()

    def _encoder(self) -> None:
        half, quarter, eighth, _ = self.config.widths
        weight = _corners(self.weights["encoder.stem.weight"])  # (O, ky, kx, 12)
        middle = self.weights["encoder.stem.bias"] + weight.sum((1, 2, 3)) * np.float32(0.5 * PIXEL.step)
        padded = np.pad(weight, ((0, 0), (0, 0), (0, 0), (0, SOURCE_PADDED - weight.shape[3])))
        self.layers["encoder.stem"] = self.blob.layer(padded, middle, [(PIXEL, SOURCE_PADDED)])
        self._down("encoder.to_quarter", "half", half)
        self._res("encoder.at_quarter", "encoder.to_quarter", quarter)
        self._down("encoder.to_eighth", "encoder.at_quarter", quarter)
        self._res("encoder.at_eighth", "encoder.to_eighth", eighth)
        self._down("encoder.to_scene", "encoder.at_eighth", eighth)

    def _decoder(self) -> None:
        half, quarter, eighth, sixteenth = self.config.widths
        self._linear("patch", [("noise", 192)])
        self._res("before", "before.x", eighth, filmed=True)
        self._down("down", "before", eighth)
        for i in range(self.config.blocks):
            name = f"blocks.{i}"
            self._linear(f"{name}.qkv", [(f"{name}.n1", sixteenth)])
            self._linear(f"{name}.proj", [(f"{name}.o", sixteenth)], gated=True)
            self._linear(f"{name}.up", [(f"{name}.n2", sixteenth)])
            self._linear(f"{name}.down", [(f"{name}.h", self.config.mlp_ratio * sixteenth)], gated=True)
            for norm in ("n1", "n2"):
                self._styled(f"{name}.{norm}", 2 * 4 * sixteenth)
            self._styled(f"{name}.kv", self.config.heads * -(-self.config.style_tokens // 64) * BLOCK_BYTES)
            self._res(f"mixers.{i}", name, sixteenth, filmed=True)
        last = f"mixers.{self.config.blocks - 1}"
        for name, below, skip, width, out in (
            ("up_eighth", last, "before", sixteenth, eighth),
            ("up_quarter", "after", "encoder.at_quarter", eighth, quarter),
            ("up_half", "at_quarter", "half", quarter, half),
        ):  # fmt: skip
            self._up(name, below, skip, width, out)
        self._res("after", "up_eighth", eighth, filmed=True)
        self._res("at_quarter", "up_quarter", quarter, filmed=True)
        self._res("at_half", "up_half", half, filmed=True)
        self._styled("at_half.b", 3 * 4 * half)  # the last FiLM comes after the residual
        head = _corner_outs(self.weights["head.weight"].transpose(0, 2, 3, 1))
        pad = SOURCE_PADDED - len(head)
        bias = np.pad(_corner_outs(self.weights["head.bias"]), (0, pad))
        self.layers["head"] = self.blob.layer(
            np.pad(head, ((0, pad), (0, 0), (0, 0), (0, 0))), bias, [(self.quants["head.x"], half)]
        )
        self._styled("colour", 48)

    def _styled(self, name: str, size: int) -> None:
        self.style[name] = self.style_bytes
        self.style_bytes += -(-size // 64) * 64

    def _res(self, name: str, x: str, width: int, filmed: bool = False) -> None:
        for part, source in (("a", x), ("b", f"{name}.h")):
            weight = self.weights[f"{name}.{part}.weight"].transpose(0, 2, 3, 1)
            bias = self.weights[f"{name}.{part}.bias"]
            self.layers[f"{name}.{part}"] = self.blob.layer(weight, bias, [(self.quants[source], width)])
        if filmed:
            self._styled(f"{name}.a", 2 * 4 * width)

    def _down(self, name: str, x: str, width: int) -> None:
        flat = self.weights[f"{name}.conv.weight"]
        weight = flat.reshape(len(flat), width, 2, 2).transpose(0, 2, 3, 1)
        self.layers[name] = self.blob.layer(weight, self.weights[f"{name}.conv.bias"], [(self.quants[x], width)])

    def _up(self, name: str, below: str, skip: str, width: int, out: int) -> None:
        conv = _corner_outs(self.weights[f"{name}.conv.weight"].reshape(4 * out, width))
        bias = _corner_outs(self.weights[f"{name}.conv.bias"])
        self.layers[f"{name}.conv"] = self.blob.layer(conv, bias, [(self.quants[below], width)])
        join = self.weights[f"{name}.join.weight"].reshape(out, 2 * out)
        inputs = [(self.quants[f"{name}.up"], out), (self.quants[skip], out)]
        self.layers[f"{name}.join"] = self.blob.layer(join, self.weights[f"{name}.join.bias"], inputs)

    def _linear(self, name: str, inputs: list[tuple[str, int]], gated: bool = False) -> None:
        weight, bias = self.weights[f"{name}.weight"], self.weights[f"{name}.bias"]
        self.layers[name] = self.blob.layer(
            weight.reshape(len(weight), -1), bias, [(self.quants[q], n) for q, n in inputs]
        )
        if gated:
            self._styled(name, 2 * 4 * len(weight))


def _corners(weight: F32) -> F32:
    """(O, C * 4, ky, kx) over unshuffled channels (colour, dy, dx) as (O, ky, kx, (dy, dx, colour))."""
    outs, channels, rows, columns = weight.shape
    split = weight.reshape(outs, channels // 4, 4, rows, columns)
    return np.ascontiguousarray(split.transpose(0, 3, 4, 2, 1)).reshape(outs, rows, columns, channels)


def _corner_outs(x: F32) -> F32:
    """Outs (channel, dy, dx) of a pixel shuffle as (dy, dx, channel)."""
    return np.ascontiguousarray(x.reshape(len(x) // 4, 4, *x.shape[1:]).swapaxes(0, 1)).reshape(x.shape)

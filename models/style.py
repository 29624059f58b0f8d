"""From LLM states to the numbers of a style: connector, modulations and style keys, in NumPy float32.

Runs once per prompt; what it fills is the slot `style` that the video program reads (see lowering.py).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from reverie.kernels.machine import memory
from reverie.kernels.tasks import BLOCK, BLOCK_BYTES, HEAD
from reverie.models.parts import Parts
from reverie.models.quantise import F32

EPSILON = float(np.finfo(np.float32).eps)


def style(parts: Parts, tokens: F32, t: float = 1.0) -> NDArray[np.uint8]:
    """The style buffer of a look.

    Args: tokens: (S, cond) style tokens, of a prompt or blended.  t: timestep, 1 is pure noise.
    """
    w, config = parts.weights, parts.config
    c = condition(parts, tokens, t)
    slot = memory(parts.style_bytes)
    widths = config.widths
    filmed = [widths[2], *[widths[3]] * config.blocks, widths[2], widths[1], widths[0], widths[0]]
    films = np.split(_linear(parts, "film", c), np.cumsum([2 * n for n in filmed])[:-1])
    names = ["before", *(f"mixers.{i}" for i in range(config.blocks)), "after", "at_quarter", "at_half"]
    for name, film in zip(names, films, strict=False):
        _put_film(parts, slot, name, film)
    _put_last_film(parts, slot, films[-1])
    modulations = np.split(_linear(parts, "modulation", c), 6 * config.blocks)
    for i in range(config.blocks):
        shift1, scale1, gate1, shift2, scale2, gate2 = modulations[6 * i : 6 * i + 6]
        _put_norm(parts, slot, f"blocks.{i}.n1", scale1, shift1)
        _put_norm(parts, slot, f"blocks.{i}.n2", scale2, shift2)
        _put_gated(parts, slot, f"blocks.{i}.proj", gate1, f"blocks.{i}.between", _block_input(parts, i))
        _put_gated(parts, slot, f"blocks.{i}.down", gate2, f"blocks.{i}", f"blocks.{i}.between")
        _put_keys(parts, slot, i, _rows(tokens, w[f"blocks.{i}.style.weight"], w[f"blocks.{i}.style.bias"]))
    _write(slot, parts.style["colour"], _linear(parts, "colour", c))
    return slot


def style_tokens(parts: Parts, states: F32) -> F32:
    """What the connector makes of a prompt's LLM states (L, D) float32, its layers side by side: tokens (S, cond)."""
    w = parts.weights
    x = states - states.mean(1, keepdims=True)
    x = x / np.sqrt((x * x).mean(1, keepdims=True) + np.float32(1e-5))
    read = _rows(x, w["connector.read.weight"], w["connector.read.bias"]).reshape(len(x), -1, HEAD)
    k, v = np.split(read, 2, 1)  # (L, heads, K)
    q = w["connector.queries"].reshape(-1, k.shape[1], HEAD)
    scores = np.einsum("shk,lhk->hsl", q, _unit(k)) / np.float32(math.sqrt(HEAD))
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    x = np.einsum("hsl,lhk->shk", weights / weights.sum(-1, keepdims=True), v).reshape(len(q), -1)
    up = _rows(_unit(x), w["connector.up.weight"], w["connector.up.bias"])
    return _unit(x + _rows(_swish(up), w["connector.down.weight"], w["connector.down.bias"]))


def blended(tokens: Sequence[F32], shares: Sequence[float]) -> F32:
    """Style tokens of a blend: the mean of the prompts' by their shares, of the length that the network knows."""
    if len(tokens) == 1:
        return tokens[0]
    return _unit(np.average(np.stack(tokens), axis=0, weights=np.array(shares)).astype(np.float32))


def condition(parts: Parts, tokens: F32, t: float) -> F32:
    """Style tokens (S, cond) and a timestep to (cond,)."""
    angle = t * np.exp(np.arange(16, dtype=np.float32) * np.float32(math.log(100) / 15))
    time = _swish(_linear(parts, "connector.time.0", np.concatenate((np.sin(angle), np.cos(angle)))))
    pooled = _unit(_linear(parts, "connector.pool", tokens.reshape(-1)))
    return _unit(pooled + np.float32(0.3) * _linear(parts, "connector.time.2", time))


def _linear(parts: Parts, name: str, x: F32) -> F32:
    return parts.weights[f"{name}.weight"] @ x + parts.weights[f"{name}.bias"]


def _rows(x: F32, weight: F32, bias: F32) -> F32:
    return x @ weight.T + bias


def _unit(x: F32) -> F32:
    return x / np.sqrt((x * x).mean(-1, keepdims=True) + np.float32(EPSILON))


def _swish(x: F32) -> F32:
    return x / (1 + np.exp(-x))


def _write(slot: NDArray[np.uint8], offset: int, values: NDArray[np.floating]) -> None:
    raw = np.ascontiguousarray(values, np.float32).reshape(-1).view(np.uint8)
    slot[offset : offset + raw.nbytes] = raw


def _put_film(parts: Parts, slot: NDArray[np.uint8], name: str, film: F32) -> None:
    """(sum * step + add) * (1 + scale) + shift, in steps of the output."""
    scale, shift = np.split(film, 2)
    layer, step = parts.layers[f"{name}.a"], parts.quants[f"{name}.h"].step
    _write(slot, parts.style[f"{name}.a"], np.stack((layer.step * (1 + scale), layer.add * (1 + scale) + shift)) / step)


def _put_last_film(parts: Parts, slot: NDArray[np.uint8], film: F32) -> None:
    """The same after the residual: it scales the residual too."""
    scale, shift = np.split(film, 2)
    layer, step, skip = parts.layers["at_half.b"], parts.quants["head.x"].step, parts.quants["up_half"]
    add = (layer.add - skip.zero * np.float32(skip.step)) * (1 + scale) + shift
    rows = np.stack((layer.step * (1 + scale), add, skip.step * (1 + scale)))
    _write(slot, parts.style["at_half.b"], rows / step)


def _put_norm(parts: Parts, slot: NDArray[np.uint8], name: str, scale: F32, shift: F32) -> None:
    _write(slot, parts.style[name], np.stack((1 + scale, shift)) / parts.quants[name].step)


def _put_gated(parts: Parts, slot: NDArray[np.uint8], name: str, gate: F32, out: str, skip: str) -> None:
    layer, step, past = parts.layers[name], parts.quants[out].step, parts.quants[skip]
    shift = gate * layer.add - past.zero * np.float32(past.step)
    _write(slot, parts.style[name], np.stack((gate * layer.step, shift)) / step)


def _block_input(parts: Parts, i: int) -> str:
    return "blocks.0.x" if i == 0 else f"mixers.{i - 1}"


def _put_keys(parts: Parts, slot: NDArray[np.uint8], i: int, kv: F32) -> None:
    """Style keys and values (S, 2 D), packed as Heads packs those of a frame."""
    heads, size = parts.config.heads, BLOCK * HEAD
    k, v = np.split(kv.reshape(len(kv), 2 * heads, HEAD), 2, 1)
    k = np.rint(np.clip(_unit(k) * np.float32(127 / 8), -127, 127)).astype(np.int8)
    v = np.clip(np.rint(v / np.float32(parts.quants[f"blocks.{i}.v"].step)), -128, 127).astype(np.int8)
    whole = lambda x: np.pad(x, ((0, -len(x) % BLOCK), (0, 0), (0, 0))).reshape(-1, BLOCK, heads, HEAD)
    k, v = whole(k), whole(v)
    packed = np.zeros((heads, len(k), BLOCK_BYTES), np.int8)
    keys = k.reshape(-1, 4, 16, heads, 16, 4).transpose(3, 0, 1, 4, 2, 5)
    values = v.reshape(-1, 16, 4, heads, 4, 16).transpose(3, 0, 4, 1, 5, 2)
    packed[..., :size] = keys.reshape(heads, -1, size)
    packed[..., size : 2 * size] = values.reshape(heads, -1, size)
    sums = np.ascontiguousarray((-128 * k.astype(np.int32).sum(3)).transpose(2, 0, 1)).astype(np.int32)
    packed[..., 2 * size :] = sums.view(np.int8)
    raw = packed.reshape(-1).view(np.uint8)
    slot[parts.style[f"blocks.{i}.kv"] :][: raw.nbytes] = raw

"""Reference of the tasks of the video model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reverie.kernels.reference_lanes import F, Find, Floats, exp2_rounded, to_bytes, total, unpacked
from reverie.kernels.tasks import (
    BLOCK,
    BLOCK_BYTES,
    HEAD,
    Activation,
    Attention,
    Conv,
    Heads,
    Modulate,
    Picture,
    Unshuffle,
)


def conv(t: Conv, find: Find) -> None:
    x = find(t.x, np.uint8, t.height, t.width, t.channels).astype(np.int64)
    if t.beside.buffer >= 0:
        beside = find(t.beside, np.uint8, t.height, t.width, t.beside_channels)
        x = np.concatenate((x, beside.astype(np.int64)), 2)
    vector = lambda ref, n: find(ref, F, n)
    sums = _sums(t, x, unpacked(find(t.weight, np.int8, t.outs * t.depth()), t.outs)) + find(t.bias, np.int32, t.outs)
    y = sums.astype(F) * vector(t.scale, t.outs) + vector(t.shift, t.outs)
    place, outs = (slice(t.begin, t.end), slice(None)), t.outs
    if t.shuffle:
        rows, columns, outs = t.end - t.begin, t.columns(), t.outs // 4
        y = y.reshape(rows, columns, 2, 2, outs).transpose(0, 2, 1, 3, 4).reshape(2 * rows, 2 * columns, outs)
        place = (slice(2 * t.begin, 2 * t.end), slice(None))
    shape = ((2 if t.shuffle else 1) * (t.height // (2 if t.kernel == 2 else 1)), y.shape[1], outs)
    if t.residual.buffer >= 0:
        y = y + find(t.residual, np.uint8, *shape)[place].astype(F) * vector(t.residual_scale, outs)
    if t.activation == Activation.HARD_SWISH:
        y = y * np.clip(y * F(t.gate) + F(0.5), F(0), F(1))
    find(t.y, np.uint8, *shape)[place] = to_bytes(y + F(t.y_zero))


def _sums(t: Conv, x: NDArray[np.int64], weight: NDArray[np.int64]) -> Any:
    """Rows [begin, end) of the products, (rows, columns, O)."""
    size, rows = t.kernel, t.end - t.begin
    taps = weight.reshape(t.outs, size, size, -1)
    if size == 2:
        part = x[2 * t.begin : 2 * t.end]
        return sum(part[dy::2, dx::2] @ taps[:, dy, dx].T for dy in range(2) for dx in range(2))
    pad = size // 2
    x = np.pad(x, ((pad, pad), (pad, pad), (0, 0)), constant_values=t.x_zero)[t.begin : t.end + 2 * pad]
    return sum(x[dy : dy + rows, dx : dx + t.width] @ taps[:, dy, dx].T for dy in range(size) for dx in range(size))


def unshuffle(t: Unshuffle, find: Find) -> None:
    x = find(t.x, np.uint8, 2 * t.end, t.width, 3)[2 * t.begin :]
    y = find(t.y, np.uint8, t.end, t.width // 2, 16)[t.begin :]
    y[..., :12] = x.reshape(-1, 2, t.width // 2, 2, 3).transpose(0, 2, 1, 3, 4).reshape(*y.shape[:2], 12)
    y[..., 12:] = t.zero


def modulate(t: Modulate, find: Find) -> None:
    x = find(t.x, np.uint8, t.end, t.width)[t.begin :].astype(F) - F(t.x_zero)
    inverse = F(1) / np.sqrt(total(x * x) / F(t.width) + F(1e-6))
    y = x * inverse[:, None] * find(t.gain, F, t.width) + find(t.shift, F, t.width)
    find(t.y, np.uint8, t.end, t.width)[t.begin :] = to_bytes(y + F(t.y_zero))


def heads(t: Heads, find: Find) -> None:
    qkv = find(t.qkv, np.uint8, t.tokens, 3, t.heads, HEAD)[t.begin : t.end]
    rope = find(t.rope, F, t.tokens, 2, 1, HEAD // 2)[t.begin : t.end]
    find(t.q, np.uint8, t.tokens, t.heads, HEAD)[t.begin : t.end] = (_turned(qkv[:, 0], rope) + 128).astype(np.uint8)
    blocks, count = -(-t.tokens // BLOCK), -(-(t.end - t.begin) // BLOCK)
    kv = find(t.kv, np.uint8, t.heads, blocks, BLOCK_BYTES)[:, t.begin // BLOCK : t.begin // BLOCK + count]
    whole = lambda x: np.pad(x, ((0, count * BLOCK - len(x)), (0, 0), (0, 0))).reshape(count, BLOCK, t.heads, HEAD)
    k, v = whole(_turned(qkv[:, 1], rope)), whole(qkv[:, 2].astype(np.int64) - 128)
    keys = k.reshape(count, 4, 16, t.heads, 16, 4).transpose(3, 0, 1, 4, 2, 5)
    values = v.reshape(count, 16, 4, t.heads, 4, 16).transpose(3, 0, 4, 1, 5, 2)
    size = BLOCK * HEAD
    kv[..., :size] = keys.astype(np.int8).reshape(t.heads, count, size).view(np.uint8)
    kv[..., size : 2 * size] = values.astype(np.int8).reshape(t.heads, count, size).view(np.uint8)
    sums = np.ascontiguousarray((-128 * k.sum(3)).transpose(2, 0, 1)).astype(np.int32)
    kv[..., 2 * size :] = sums.view(np.uint8)


def _turned(x: NDArray[np.uint8], rope: Floats) -> NDArray[np.int64]:
    u = x.astype(F) - F(128)
    u = u * (F(127 / 8) / np.sqrt(total(u * u) / F(HEAD) + F(1e-6)))[..., None]
    low, high = u[..., : HEAD // 2], u[..., HEAD // 2 :]
    cos, sin = rope[:, 0], rope[:, 1]
    turned = np.concatenate((low * cos - high * sin, low * sin + high * cos), -1)
    return np.rint(np.clip(turned, F(-127), F(127))).astype(np.int64)


def attention(t: Attention, find: Find) -> None:
    q = find(t.q, np.uint8, t.end, t.heads, HEAD)[t.begin :]
    y = find(t.y, np.uint8, t.end, t.heads, HEAD)[t.begin :]
    past = find(t.past, F, t.heads, HEAD)
    step, to_log2 = F(8) / F(127), F(1.44269504) / F(8)
    for h in range(t.heads):
        biased = total((q[:, h].astype(F) - F(128)) * past[h]) * (step * to_log2)
        scores, values = [], []
        for ref, count in (
            (t.sink, t.tokens), (t.old, t.tokens), (t.recent, t.tokens), (t.now, t.tokens), (t.style, t.style_tokens)
        ):  # fmt: skip
            k, v = keys_values(find(ref, np.uint8, t.heads, -(-count // BLOCK), BLOCK_BYTES)[h])
            s = (q[:, h].astype(np.int64) - 128) @ k.T
            s[:, count:] = -(1 << 30)
            scores.append(s)
            values.append(v)
        s = np.concatenate(scores, 1).astype(F) * (step * step * to_log2)
        old = 3 * -(-t.tokens // BLOCK) * BLOCK
        before, now = s[:, :old].max(1) + biased, s[:, old:].max(1)
        lift = F(7.99435344) - np.maximum(before, now)
        lifts = np.where(np.arange(s.shape[1]) < old, (biased + lift)[:, None], lift[:, None])
        weights = exp2_rounded(np.maximum(s + lifts, F(-126))).astype(np.int64)
        sums = (weights @ np.concatenate(values)).astype(F)
        scale = F(t.scale) / weights.sum(1).astype(F)
        y[:, h] = to_bytes(sums * scale[:, None] + F(128))


def keys_values(blocks: NDArray[np.uint8]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Keys and values (S, K) of packed blocks (n, BLOCK_BYTES)."""
    size, n = BLOCK * HEAD, len(blocks)
    part = lambda first: np.ascontiguousarray(blocks[:, first : first + size]).view(np.int8).astype(np.int64)
    keys = part(0).reshape(n, 4, 16, 16, 4).transpose(0, 1, 3, 2, 4).reshape(n * BLOCK, HEAD)
    values = part(size).reshape(n, 4, 16, 16, 4).transpose(0, 2, 4, 1, 3).reshape(n * BLOCK, HEAD)
    return keys, values


def picture(t: Picture, find: Find) -> None:
    rows = slice(2 * t.begin, 2 * t.end)
    source = find(t.source, np.uint8, 2 * t.end, t.width, 3)[rows].astype(F)
    residual = find(t.residual, np.uint8, t.end, t.width // 2, 16)[t.begin :, :, :12]
    add = residual.reshape(-1, t.width // 2, 2, 2, 3).transpose(0, 2, 1, 3, 4).reshape(source.shape).astype(F)
    colour, strength = find(t.colour, F, 3, 4), find(t.strength, F, 1)
    v = colour[:, 3] + (add - F(t.zero)) * F(t.step)
    for k in range(3):
        v = v + (source[..., k : k + 1] * F(1 / 127.5) - F(1)) * colour[:, k]
    v = np.clip(v, F(-1), F(1)) * F(127.5) + F(127.5)
    find(t.y, np.uint8, 2 * t.end, t.width, 3)[rows] = to_bytes(source + (v - source) * strength)


RUN: dict[str, Callable[[Any, Find], None]] = {
    "Conv": conv, "Unshuffle": unshuffle, "Modulate": modulate, "Heads": heads, "Attention": attention,
    "Picture": picture,
}  # fmt: skip

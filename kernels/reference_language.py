"""Reference of the tasks of the LLM."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reverie.kernels.reference_lanes import F, Find, Floats, exp2, sigmoid, total, tree, unpacked
from reverie.kernels.tasks import HEAD, Embed, Norm, Pick, Project, Recollect


def embed(t: Embed, find: Find) -> None:
    table = find(t.weight, np.int8, t.vocabulary // 16, t.width // 4, 16, 4)
    tokens = find(t.tokens, np.int32, t.count)
    rows = table[tokens // 16, :, tokens % 16].reshape(t.count, t.width)
    find(t.y, F, t.count, t.width)[:] = rows.astype(F) * find(t.scale, F, t.vocabulary)[tokens, None]


def project(t: Project, find: Find) -> None:
    x = find(t.x, F, t.count, t.width * (2 if t.gated else 1))
    v = x[:, : t.width] * sigmoid(x[:, : t.width]) * x[:, t.width :] if t.gated else x
    v = _normed(v, t, find)
    top = np.abs(v).max(1)
    with np.errstate(divide="ignore"):
        times = np.where(top > 0, F(32767) / top, F(0)).astype(F)
    whole = np.rint(v * times[:, None]).astype(np.int64) + 32768
    first, size = t.begin * t.width, (t.end - t.begin) * t.width
    weight = unpacked(find(t.weight + first, np.int8, size), t.end - t.begin)
    columns = slice(t.begin, t.end)
    high = ((whole >> 8) @ weight.T + find(t.sums, np.int32, t.outs)[columns]).astype(F)
    low = ((whole & 255) @ weight.T).astype(F)
    step = top * (F(1) / F(32767))
    y = (high * F(256) + low) * (find(t.scale, F, t.outs)[columns] * step[:, None])
    if t.residual.buffer >= 0:
        y = y + find(t.residual, F, t.count, t.outs)[:, columns]
    find(t.y, F, t.count, t.outs)[:, columns] = y


def _normed(v: Floats, t: Project, find: Find) -> Floats:
    if t.norm == Norm.NONE:
        return v
    mean = total(v) / F(t.width) if t.norm == Norm.LAYER else np.zeros(t.count, F)
    centred = v - mean[:, None]
    inverse = F(1) / np.sqrt(total(centred * centred) / F(t.width) + F(t.epsilon))
    v = centred * inverse[:, None]
    return v * find(t.gain, F, t.width) if t.gain.buffer >= 0 else v


def recollect(t: Recollect, find: Find) -> None:
    qkv = find(t.qkv, F, t.count, t.heads + 2 * t.groups, HEAD)
    keys, values = find(t.cache, F, 2, t.context, HEAD)
    position = int(find(t.position, np.int32, 1)[0])
    rope, y = find(t.rope, F, t.context, 2, HEAD // 2), find(t.y, F, t.count, t.heads, HEAD)
    each = t.heads // t.groups
    for n in range(min(t.count, t.context - position)):
        place = position + n
        keys[place] = _turn(qkv[n, t.heads + t.group], rope[place])
        values[place] = qkv[n, t.heads + t.groups + t.group]
        for h in range(t.group * each, (t.group + 1) * each):
            q = _turn(qkv[n, h], rope[place])
            scores = total(q * keys[: place + 1]) * F(F(1.44269504) / F(8))
            y[n, h] = _mixed(scores, values[: place + 1])


def _mixed(scores: Floats, values: Floats) -> Floats:
    padded = np.full(-(-len(scores) // 16) * 16, -1e30, F)
    padded[: len(scores)] = scores
    weights = exp2(padded - scores.max())
    y = np.zeros(HEAD, F)
    for weight, value in zip(weights, values, strict=False):
        y = y + value * weight
    mass = np.zeros(16, F)
    for k in range(0, len(weights), 16):
        mass = mass + weights[k : k + 16]
    return y * (F(1) / tree(mass))


def _turn(x: Floats, rope: Floats) -> Floats:
    a, b, (cos, sin) = x[: HEAD // 2], x[HEAD // 2 :], rope
    return np.concatenate((a * cos - b * sin, b * cos + a * sin))


def pick(t: Pick, find: Find) -> None:
    logits: NDArray[np.float32] = find(t.logits, F, t.vocabulary)
    find(t.token, np.int32, 1)[0] = int(logits.argmax())
    find(t.position, np.int32, 1)[0] += 1


RUN: dict[str, Callable[[Any, Find], None]] = {
    "Embed": embed, "Project": project, "Recollect": recollect, "Pick": pick,
}  # fmt: skip

"""A task of every kind with random contents, for whoever runs programs: all must leave what the reference leaves."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from reverie.kernels.machine import memory
from reverie.kernels.program import Builder, Role
from reverie.kernels.tasks import (
    BLOCK,
    BLOCK_BYTES,
    HEAD,
    NONE,
    Activation,
    Attention,
    Conv,
    Embed,
    Heads,
    Modulate,
    Norm,
    Pick,
    Picture,
    Project,
    Recollect,
    Ref,
    Task,
    Unshuffle,
)  # fmt: skip


class Bench:
    """Buffers with random contents for one task."""

    def __init__(self, seed: int) -> None:
        self.rng, self.given, self.builder = np.random.default_rng(seed), {}, Builder("test")

    def put(self, array: Any, role: Role = Role.CONSTANT) -> Ref:
        name, raw = f"b{len(self.given)}", np.ascontiguousarray(array).reshape(-1).view(np.uint8)
        self.given[name] = memory(-(-raw.nbytes // 64) * 64)
        self.given[name][: raw.nbytes] = raw
        return self.builder.buffer(name, raw.nbytes, role)

    def bytes(self, *shape: int, role: Role = Role.CONSTANT) -> Ref:
        return self.put(self.rng.integers(0, 256, shape, np.uint8), role)

    def weights(self, outs: int, depth: int) -> Ref:
        return self.put(self.rng.integers(-127, 128, (outs, depth)).astype(np.int8))

    def floats(self, *shape: int, scale: float = 1.0, role: Role = Role.CONSTANT) -> Ref:
        return self.put((self.rng.normal(0, scale, shape)).astype(np.float32), role)

    def ints(self, n: int, most: int) -> Ref:
        return self.put(self.rng.integers(-most, most, n).astype(np.int32))


def conv(seed: int, **changes: Any) -> tuple[Bench, list[Task]]:
    b = Bench(seed)
    p: dict[str, Any] = {"height": 6, "width": 26, "channels": 32, "beside": 0, "kernel": 3, "outs": 64, "shuffle": 0,
         "activation": 0, "residual": False, "x_zero": 128, "y_zero": 128} | changes  # fmt: skip
    depth = p["kernel"] ** 2 * p["channels"] + p["beside"]
    rows, columns = (n // 2 if p["kernel"] == 2 else n for n in (p["height"], p["width"]))
    outs, size = p["outs"], rows * columns * p["outs"]
    task = Conv(
        x=b.bytes(p["height"], p["width"], p["channels"]),
        beside=b.bytes(p["height"], p["width"], p["beside"]) if p["beside"] else NONE,
        weight=b.weights(outs, depth), bias=b.ints(outs, 100_000), scale=b.floats(outs, scale=0.5 / (74 * 74 * depth**0.5) * 74),
        shift=b.floats(outs, scale=20), residual=b.bytes(size) if p["residual"] else NONE,
        residual_scale=b.floats(outs) if p["residual"] else NONE, y=b.bytes(size, role=Role.OUTPUT), height=p["height"],
        width=p["width"], channels=p["channels"], beside_channels=p["beside"], kernel=p["kernel"], outs=outs,
        shuffle=p["shuffle"], activation=p["activation"], gate=0.02, x_zero=p["x_zero"], y_zero=p["y_zero"], begin=0, end=rows,
    )  # fmt: skip
    return b, [replace(task, end=rows // 2), replace(task, begin=rows // 2)]


def heads(seed: int, tokens: int = 100) -> tuple[Bench, list[Task]]:
    b = Bench(seed)
    kv = b.bytes(3 * 2 * BLOCK_BYTES, role=Role.STATE)
    q = b.bytes(tokens, 3 * HEAD, role=Role.OUTPUT)
    qkv, rope = b.bytes(tokens, 9 * HEAD), b.floats(tokens, HEAD)
    each = {"qkv": qkv, "rope": rope, "q": q, "kv": kv, "heads": 3, "tokens": tokens}
    return b, [Heads(**each, begin=0, end=64), Heads(**each, begin=64, end=tokens)]


def attention(seed: int, tokens: int = 100, spread: float = 127 / 8) -> tuple[Bench, list[Task]]:
    """Queries of RMS `spread` in steps of 8 / 127: one, as `heads` leaves them."""
    b = Bench(seed)
    q = np.clip(np.rint(b.rng.normal(128, spread, (tokens, 3 * HEAD))), 0, 255).astype(np.uint8)
    blocks = -(-tokens // BLOCK)

    def kv(n: int) -> Ref:
        packed = b.rng.integers(-127, 128, (3, n, BLOCK_BYTES)).astype(np.int8)
        keys = packed[..., : BLOCK * HEAD].reshape(3, n, 4, 16, 16, 4).astype(np.int32)
        sums = np.ascontiguousarray(-128 * keys.sum((3, 5)).reshape(3, n, BLOCK)).astype(np.int32)
        packed[..., 2 * BLOCK * HEAD :] = sums.view(np.int8)
        return b.put(packed)

    task = {
        "q": b.put(q), "sink": kv(blocks), "old": kv(blocks), "recent": kv(blocks), "now": kv(blocks),
        "style": kv(1), "past": b.floats(3, HEAD), "y": b.bytes(tokens, 3 * HEAD, role=Role.OUTPUT), "heads": 3,
        "tokens": tokens, "style_tokens": 16, "scale": 1.7,
    }  # fmt: skip
    return b, [Attention(**task, begin=0, end=40), Attention(**task, begin=40, end=tokens)]


def modulate(seed: int) -> tuple[Bench, list[Task]]:
    b = Bench(seed)
    x, y = b.bytes(9, 192), b.bytes(9, 192, role=Role.OUTPUT)
    b.given["b0"][192:384] = 100  # a row without energy
    return b, [Modulate(x=x, gain=b.floats(192, scale=40), shift=b.floats(192, scale=20), y=y, width=192, x_zero=100,
                        y_zero=128, begin=0, end=9)]  # fmt: skip


def picture(seed: int) -> tuple[Bench, list[Task]]:
    b = Bench(seed)
    return b, [Picture(
        source=b.bytes(12, 48, 3), residual=b.bytes(6, 24, 16), colour=b.floats(3, 4, scale=0.5), strength=b.put(np.float32(0.8)),
        y=b.bytes(12, 48, 3, role=Role.OUTPUT), width=48, step=0.02, zero=120, begin=0, end=6,
    )]  # fmt: skip


def unshuffle(seed: int) -> tuple[Bench, list[Task]]:
    b = Bench(seed)
    x, y = b.bytes(12, 48, 3), b.bytes(6, 24, 16, role=Role.OUTPUT)
    return b, [
        Unshuffle(x=x, y=y, width=48, zero=128, begin=0, end=2), Unshuffle(x=x, y=y, width=48, zero=128, begin=2, end=6)
    ]  # fmt: skip


def project(
    seed: int, count: int = 1, norm: Norm = Norm.NONE, gated: int = 0, residual: bool = False
) -> tuple[Bench, list[Task]]:
    b = Bench(seed)
    weights = b.rng.integers(-127, 128, (128, 192)).astype(np.int8)
    packed = np.ascontiguousarray(weights.reshape(8, 16, 48, 4).transpose(0, 2, 1, 3))
    task = {
        "x": b.floats(count, 192 * (1 + gated), scale=3), "gain": b.floats(192) if norm == Norm.RMS else NONE,
        "weight": b.put(packed), "sums": b.put(-128 * weights.astype(np.int32).sum(1, dtype=np.int32)), "scale": b.floats(128, scale=1e-3),
        "residual": b.floats(count, 128) if residual else NONE, "y": b.floats(count, 128, role=Role.OUTPUT), "count": count,
        "width": 192, "outs": 128, "norm": norm, "gated": gated, "epsilon": 1e-5,
    }  # fmt: skip
    return b, [Project(**task, begin=0, end=64), Project(**task, begin=64, end=128)]


def recollect(seed: int, count: int = 1, position: int = 37, context: int = 64) -> tuple[Bench, list[Task]]:
    b = Bench(seed)
    caches = [b.floats(2, context, HEAD, role=Role.STATE) for _ in range(3)]
    task = {
        "qkv": b.floats(count, 15, HEAD), "rope": b.floats(context, HEAD), "position": b.put(np.int32(position)),
        "y": b.floats(count, 9, HEAD, role=Role.OUTPUT), "count": count, "context": context, "heads": 9, "groups": 3,
    }  # fmt: skip
    return b, [Recollect(**task, cache=cache, group=g) for g, cache in enumerate(caches)]


def embed(seed: int, tokens: tuple[int, ...] = (5, 31, 0)) -> tuple[Bench, list[Task]]:
    b, count = Bench(seed), len(tokens)
    return b, [Embed(tokens=b.put(np.array(tokens, np.int32)), weight=b.weights(32, 64), scale=b.floats(32),
                     y=b.floats(count, 64, role=Role.OUTPUT), count=count, width=64, vocabulary=32)]  # fmt: skip


def pick(seed: int) -> tuple[Bench, list[Task]]:
    b = Bench(seed)
    logits, token, position = b.floats(1024), b.put(np.int32(0), Role.OUTPUT), b.put(np.int32(3), Role.STATE)
    return b, [Pick(logits=logits, token=token, position=position, vocabulary=1024)]


CASES: dict[str, Callable[[int], tuple[Bench, list[Task]]]] = {
    "conv 3x3": conv,
    "conv 3x3, one tile wide, active, onto another zero": lambda s: conv(s, width=5, activation=Activation.HARD_SWISH, x_zero=17, y_zero=20),
    "conv 3x3, residual": lambda s: conv(s, residual=True),
    "conv 3x3, residual and active": lambda s: conv(s, residual=True, activation=Activation.HARD_SWISH),
    "conv 3x3, few outs": lambda s: conv(s, outs=16, channels=16),
    "conv 3x3, many channels": lambda s: conv(s, channels=192, outs=32),
    "conv 2x2": lambda s: conv(s, kernel=2),
    "conv 1x1": lambda s: conv(s, kernel=1, channels=192, outs=96),
    "conv 1x1, few outs": lambda s: conv(s, kernel=1, outs=48),
    "conv 1x1, beside": lambda s: conv(s, kernel=1, beside=64),
    "conv 1x1, shuffled": lambda s: conv(s, kernel=1, shuffle=1, outs=128),
    "conv 1x1, shuffled, few outs, residual": lambda s: conv(s, kernel=1, shuffle=1, outs=64, residual=True),
    "heads": heads, "attention": attention, "attention over whole blocks": lambda s: attention(s, 128),
    "attention, sharp": lambda s: attention(s, spread=90),
    "attention over whole blocks, sharp": lambda s: attention(s, 128, spread=90), "modulate": modulate, "picture": picture, "unshuffle": unshuffle, "embed": lambda s: embed(s, (31,)),
    "embed 3": embed, "pick": pick, "project": project, "project, RMS": lambda s: project(s, norm=Norm.RMS),
    "project, gated, residual": lambda s: project(s, gated=1, residual=True),
    "project 9, RMS": lambda s: project(s, 9, Norm.RMS),
    "project 3, layer norm": lambda s: project(s, 3, Norm.LAYER),
    "project 2, gated, residual": lambda s: project(s, 2, gated=1, residual=True),
    "recollect": lambda s: recollect(s, context=128), "recollect 16": lambda s: recollect(s, 16, 40), "recollect to the end": lambda s: recollect(s, 9, 60),
}  # fmt: skip

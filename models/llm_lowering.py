"""SmolLM2 as programs: `decode` takes one token, `read` takes sixteen positions of a prompt.

Weights are s8 with a step per output, activations float32 (16 bits while they are multiplied), keys and values float32
in a cache of fixed size.  Both programs work on the same cache and position, so they never share a launch.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from reverie.kernels.program import Builder, Program, Role
from reverie.kernels.tasks import HEAD, NONE, Embed, Norm, Pick, Project, Recollect, Ref
from reverie.models.checkpoint import F32, Shape
from reverie.models.quantise import Blob, pack, per_out

VERSION = "llm1"  # of the blob
CONTEXT = 512  # positions in the cache
CHUNK = 16  # positions that `read` takes at once
TILE_BYTES = 160_000  # of weights in one task


def layout(shape: Shape) -> tuple[dict[str, tuple[int, int, int]], int]:
    """Of the blob: each layer's offset, outs and width; norms have no outs.  And the whole size."""
    kv = HEAD * shape.kv_heads
    places, at = {}, 0
    sizes = {"embed": (shape.vocabulary, shape.width), "norm": (0, shape.width)}
    for n in range(shape.layers):
        sizes |= {
            f"{n}.attn_norm": (0, shape.width), f"{n}.qkv": (shape.width + 2 * kv, shape.width),
            f"{n}.o": (shape.width, shape.width), f"{n}.mlp_norm": (0, shape.width),
            f"{n}.up": (2 * shape.mlp, shape.width), f"{n}.down": (shape.width, shape.mlp),
        }  # fmt: skip
    for name, (outs, width) in sizes.items():
        places[name] = (at, outs, width)
        at += outs * (width + 8) if outs else 4 * width
        at += -at % 64
    return places, at


def packed(shape: Shape, state: Mapping[str, F32]) -> NDArray[np.uint8]:
    """The blob: per layer its packed weights, int32 -128 * sums, float32 steps."""
    blob = Blob()
    weight = lambda n, *names: np.concatenate([state[f"layers.{n}.{name}.weight"] for name in names])
    put = lambda w: [blob.put(x) for x in _parts(w)]
    put(state["embed.weight"])
    blob.put(state["norm"].astype(np.float32))
    for n in range(shape.layers):
        blob.put(state[f"layers.{n}.attn_norm"].astype(np.float32))
        put(weight(n, "q", "k", "v"))
        put(weight(n, "o"))
        blob.put(state[f"layers.{n}.mlp_norm"].astype(np.float32))
        put(weight(n, "gate", "up"))
        put(weight(n, "down"))
    return blob.whole()


def _parts(weight: F32) -> list[NDArray[np.uint8]]:
    whole, step = per_out(weight)
    sums = (-128 * whole.astype(np.int32).sum(1)).astype(np.int32)
    return [np.concatenate([x.reshape(-1).view(np.uint8) for x in (pack(whole), sums, step)])]


def rope(shape: Shape) -> F32:
    """Cosines and sines, (CONTEXT, 2, K / 2)."""
    frequency = shape.rope_base ** (-np.arange(HEAD // 2, dtype=np.float32) / (HEAD // 2))
    angle = (np.arange(CONTEXT, dtype=np.float32)[:, None] * frequency.astype(np.float32)).astype(np.float32)
    return np.stack((np.cos(angle), np.sin(angle)), 1)


class Language:
    """Builds one program over `count` positions."""

    def __init__(self, shape: Shape, count: int, workers: int, states: tuple[int, ...] = ()) -> None:
        """Args: states: layers whose output is kept in the buffer `states.N`, (count, width); none after."""
        self.shape, self.count, self.workers, self.states = shape, count, workers, states
        self.depth = max(states, default=shape.layers)
        self.b = Builder("decode" if count == 1 else "read")
        self.places, size = layout(shape)
        self.weights = self.b.buffer("llm.weights", size, Role.CONSTANT)
        self.rope = self.b.buffer("llm.rope", 4 * CONTEXT * HEAD, Role.CONSTANT)
        cache = 8 * CONTEXT * HEAD * shape.kv_heads * shape.layers
        self.cache = self.b.buffer("llm.cache", cache, Role.STATE)
        self.position = self.b.buffer("llm.position", 4, Role.STATE)
        self.token = self.b.buffer("llm.token", 4 * count, Role.STATE if count == 1 else Role.INPUT)

    def build(self) -> Program:
        shape, count = self.shape, self.count
        x = self.floats("x", shape.width)
        weight, outs, _ = self.places["embed"]
        self.b.op("embed", [
            Embed(
                tokens=self.token, weight=self.weights + weight, y=x, count=count, width=shape.width,
                scale=self.weights + weight + outs * (shape.width + 4), vocabulary=shape.vocabulary,
            )
        ])  # fmt: skip
        for n in range(self.depth):
            x = self.layer(n, x)
        if count == 1:
            logits = self.floats("logits", shape.vocabulary)
            self.project("logits", "embed", x, logits, norm="norm")
            self.b.op("pick", [
                Pick(logits=logits, token=self.token, position=self.position, vocabulary=shape.vocabulary)
            ])  # fmt: skip
        return self.b.finish(self.workers)

    def floats(self, name: str, width: int) -> Ref:
        return self.b.buffer(name, 4 * self.count * width)

    def layer(self, n: int, x: Ref) -> Ref:
        shape = self.shape
        qkv = self.floats(f"{n}.qkv", shape.width + 2 * HEAD * shape.kv_heads)
        self.project(f"{n}.qkv", f"{n}.qkv", x, qkv, norm=f"{n}.attn_norm")
        seen, each = self.floats(f"{n}.seen", shape.width), 8 * CONTEXT * HEAD
        self.b.op(f"{n}.recollect", [
            Recollect(
                qkv=qkv, rope=self.rope, cache=self.cache + each * (n * shape.kv_heads + g), position=self.position,
                y=seen, count=self.count, context=CONTEXT, heads=shape.heads, groups=shape.kv_heads, group=g,
            )
            for g in range(shape.kv_heads)
        ])  # fmt: skip
        between = self.floats(f"{n}.between", shape.width)
        self.project(f"{n}.o", f"{n}.o", seen, between, residual=x)
        wide = self.floats(f"{n}.wide", 2 * shape.mlp)
        self.project(f"{n}.up", f"{n}.up", between, wide, norm=f"{n}.mlp_norm")
        if n + 1 in self.states:
            y = self.b.buffer(f"states.{n + 1}", 4 * self.count * shape.width, Role.OUTPUT)
        else:
            y = self.floats(f"{n}.y", shape.width)
        self.project(f"{n}.down", f"{n}.down", wide, y, residual=between, gated=True)
        return y

    def project(
        self, op: str, name: str, x: Ref, y: Ref, norm: str = "", residual: Ref = NONE, gated: bool = False
    ) -> None:
        at, outs, width = self.places[name]
        groups = outs // 32
        tiles = min(groups, -(-outs * width // TILE_BYTES))
        tiles = min(groups, -(-tiles // self.workers) * self.workers)
        edges = [32 * (groups * i // tiles) for i in range(tiles + 1)]
        self.b.op(op, [
            Project(
                x=x, gain=self.weights + self.places[norm][0] if norm else NONE, weight=self.weights + at,
                sums=self.weights + at + outs * width, scale=self.weights + at + outs * (width + 4), residual=residual,
                y=y, count=self.count, width=width, outs=outs, norm=int(Norm.RMS if norm else Norm.NONE),
                gated=int(gated), epsilon=self.shape.norm_epsilon, begin=begin, end=end,
            )
            for begin, end in pairwise(edges)
        ])  # fmt: skip

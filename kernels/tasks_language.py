"""Tasks of the language model: T positions, D width, H heads, G groups, K = D // H = 64."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import ClassVar

from reverie.kernels.task import HEAD, Ref, Span, Task, rows, span


class Norm(IntEnum):
    """What is done to the inputs of a projection."""

    NONE = 0
    RMS = 1
    LAYER = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Embed(Task):
    """Rows of the token table as float32 (T, D)."""

    opcode: ClassVar[int] = 7
    tokens: Ref  # int32 (T,)
    weight: Ref  # s8 (vocabulary, D), packed as Conv's
    scale: Ref  # float32 (vocabulary,)
    y: Ref
    count: int  # T
    width: int
    vocabulary: int

    def reads(self) -> Iterator[Span]:
        yield from span(self.tokens, 4 * self.count)
        yield from span(self.weight, self.vocabulary * self.width)
        yield from span(self.scale, 4 * self.vocabulary)

    def writes(self) -> Iterator[Span]:
        return span(self.y, 4 * self.count * self.width)


@dataclass(frozen=True, slots=True, kw_only=True)
class Project(Task):
    """Some outs of a linear layer: float32 in and out, weights s8, inputs as two bytes (16 bits per position).

    x is normed, or is silu(x[:, :D]) * x[:, D:] (SwiGLU), before it is multiplied.
    """

    opcode: ClassVar[int] = 8
    x: Ref  # float32 (T, D), or (T, 2 D) if gated
    gain: Ref  # float32 (D,) of the norm
    weight: Ref  # s8 (O, D), packed as Conv's
    sums: Ref  # int32 (O,): -128 * sum of the weights
    scale: Ref  # float32 (O,)
    residual: Ref  # float32 (T, O)
    y: Ref  # float32 (T, O)
    count: int  # T
    width: int  # D
    outs: int  # O
    norm: int
    gated: int
    epsilon: float
    begin: int  # outs, multiples of 32
    end: int

    def reads(self) -> Iterator[Span]:
        yield from span(self.x, 4 * self.count * self.width * (2 if self.gated else 1))
        yield from span(self.gain, 4 * self.width)
        yield from rows(self.weight, self.width, self.begin, self.end)
        yield from rows(self.sums, 4, self.begin, self.end)
        yield from rows(self.scale, 4, self.begin, self.end)
        yield from self._columns(self.residual)

    def writes(self) -> Iterator[Span]:
        return self._columns(self.y)

    def _columns(self, ref: Ref) -> Iterator[Span]:
        if ref.buffer >= 0:
            first, size = ref.offset + 4 * self.begin, 4 * (self.end - self.begin)
            for at in range(first, first + 4 * self.outs * self.count, 4 * self.outs):
                yield Span(ref.buffer, at, at + size)

    def work(self) -> int:
        return 4 * self.count * self.width * (self.end - self.begin)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recollect(Task):
    """Causal attention of one group of heads over a cache that takes these positions' keys and values first."""

    opcode: ClassVar[int] = 9
    qkv: Ref  # float32 (T, (H + 2 G) K)
    rope: Ref  # float32 (context, 2, K / 2)
    cache: Ref  # float32 (2, context, K), of this group
    position: Ref  # int32: of the first of the T
    y: Ref  # float32 (T, H K)
    count: int  # T
    context: int
    heads: int  # H
    groups: int  # G
    group: int

    def reads(self) -> Iterator[Span]:
        yield from span(self.qkv, 4 * self.count * (self.heads + 2 * self.groups) * HEAD)
        yield from span(self.rope, 4 * self.context * HEAD)
        yield from span(self.cache, 8 * self.context * HEAD)
        yield from span(self.position, 4)

    def writes(self) -> Iterator[Span]:
        yield from span(self.cache, 8 * self.context * HEAD)
        each = self.heads // self.groups * HEAD
        for t in range(self.count):
            yield from span(self.y + 4 * (t * self.heads * HEAD + self.group * each), 4 * each)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pick(Task):
    """The likeliest token becomes the next one, and the position moves on."""

    opcode: ClassVar[int] = 10
    logits: Ref  # float32 (vocabulary,)
    token: Ref  # int32
    position: Ref  # int32
    vocabulary: int

    def reads(self) -> Iterator[Span]:
        yield from span(self.logits, 4 * self.vocabulary)
        yield from span(self.position, 4)

    def writes(self) -> Iterator[Span]:
        yield from span(self.token, 4)
        yield from span(self.position, 4)

"""Tasks of the video model: Y, X picture, C channels, S tokens, D width, H heads, K = D // H = 64."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import ClassVar

from reverie.kernels.task import HEAD, Ref, Span, Task, rows, span

BLOCK = 64  # keys in one block of packed keys and values
BLOCK_BYTES = 2 * BLOCK * HEAD + 4 * BLOCK  # keys, values, and -128 * sum of each key


class Activation(IntEnum):
    NONE = 0
    HARD_SWISH = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Conv(Task):
    """Rows of y = act((x * weight + bias) * scale + shift + residual * residual_scale) + y_zero, rounded half to even.

    Kernel 1, 2 (stride 2: unshuffle and 1x1) or 3 (padded by x_zero).  A linear layer is kernel 1 over a picture of
    tokens.  Weights s8, packed [O / 16][k / 4][16 outs][4 ks], k ordered (ky, kx, channel); `beside` is concatenated
    to x (kernel 1).  `bias` takes x's zero-point out of the sums.  Shuffled: outs (dy, dx, channel) become 2x2 pixels.
    """

    opcode: ClassVar[int] = 1
    x: Ref
    beside: Ref
    weight: Ref
    bias: Ref  # int32 (O,)
    scale: Ref  # float32 (O,)
    shift: Ref  # float32 (O,)
    residual: Ref
    residual_scale: Ref  # float32 (O,), or (O / 4,) if shuffled
    y: Ref
    height: int
    width: int
    channels: int
    beside_channels: int
    kernel: int
    outs: int
    shuffle: int
    activation: int
    gate: float  # of hard-swish: step of y / 6
    x_zero: int
    y_zero: int
    begin: int  # rows of the sums
    end: int

    def depth(self) -> int:
        return self.kernel**2 * self.channels + self.beside_channels

    def columns(self) -> int:
        return self.width // 2 if self.kernel == 2 else self.width

    def y_row(self) -> int:
        """Bytes of y per row of sums."""
        return self.columns() * self.outs

    def reads(self) -> Iterator[Span]:
        first, last = {1: (self.begin, self.end), 2: (2 * self.begin, 2 * self.end)}.get(
            self.kernel, (max(self.begin - 1, 0), min(self.end + 1, self.height))
        )
        yield from rows(self.x, self.width * self.channels, first, last)
        yield from rows(self.beside, self.width * self.beside_channels, first, last)
        yield from rows(self.residual, self.y_row(), self.begin, self.end)
        yield from span(self.weight, self.outs * self.depth())
        for vector in (self.bias, self.scale, self.shift):
            yield from span(vector, 4 * self.outs)
        yield from span(self.residual_scale, self.outs if self.shuffle else 4 * self.outs)

    def writes(self) -> Iterator[Span]:
        return rows(self.y, self.y_row(), self.begin, self.end)

    def work(self) -> int:
        return 2 * (self.end - self.begin) * self.columns() * self.depth() * self.outs


@dataclass(frozen=True, slots=True, kw_only=True)
class Unshuffle(Task):
    """Rows of a picture (Y, X, 3) as (Y / 2, X / 2, 16): channels (dy, dx, colour), the last four zero_point."""

    opcode: ClassVar[int] = 2
    x: Ref
    y: Ref
    width: int  # of x
    zero: int
    begin: int  # rows of y
    end: int

    def reads(self) -> Iterator[Span]:
        return rows(self.x, 6 * self.width, self.begin, self.end)

    def writes(self) -> Iterator[Span]:
        return rows(self.y, 8 * self.width, self.begin, self.end)


@dataclass(frozen=True, slots=True, kw_only=True)
class Modulate(Task):
    """Tokens x / rms(x) * gain + shift, as u8: norm and modulation.  x's step cancels."""

    opcode: ClassVar[int] = 3
    x: Ref  # u8 (S, D)
    gain: Ref  # float32 (D,), over y's step
    shift: Ref  # float32 (D,), over y's step
    y: Ref  # u8 (S, D)
    width: int
    x_zero: int
    y_zero: int
    begin: int
    end: int

    def reads(self) -> Iterator[Span]:
        yield from rows(self.x, self.width, self.begin, self.end)
        yield from span(self.gain, 4 * self.width)
        yield from span(self.shift, 4 * self.width)

    def writes(self) -> Iterator[Span]:
        return rows(self.y, self.width, self.begin, self.end)


@dataclass(frozen=True, slots=True, kw_only=True)
class Heads(Task):
    """Queries and packed keys and values of some tokens: RMS norm over each head, then rotary embedding, of q and k.

    q: u8 (S, D), step 8 / 127 (no component of a unit-RMS vector is above 8), zero-point 128.  kv: per head, per
    block of 64 keys: keys [4][K / 4][16 keys][4], values [4][16][16 of K][4 keys], then int32 -128 * sum(key), (64,).
    Values keep qkv's step.  Keys beyond S are zero.  `begin` is a multiple of 64.
    """

    opcode: ClassVar[int] = 4
    qkv: Ref  # u8 (S, 3 D), zero-point 128
    rope: Ref  # float32 (S, 2, K / 2): cosines, sines
    q: Ref
    kv: Ref
    heads: int
    tokens: int  # S
    begin: int
    end: int

    def reads(self) -> Iterator[Span]:
        yield from rows(self.qkv, 3 * HEAD * self.heads, self.begin, self.end)
        yield from rows(self.rope, 4 * HEAD, self.begin, self.end)

    def writes(self) -> Iterator[Span]:
        yield from rows(self.q, HEAD * self.heads, self.begin, self.end)
        blocks = -(-self.tokens // BLOCK)
        for head in range(self.heads):
            first = self.kv + head * blocks * BLOCK_BYTES
            yield from rows(first, BLOCK_BYTES, self.begin // BLOCK, -(-self.end // BLOCK))


@dataclass(frozen=True, slots=True, kw_only=True)
class Attention(Task):
    """softmax(q k / sqrt(K)) v over this frame, three earlier ones and the style tokens; all heads of some queries.

    Scores and sums are float32, weights of values u8 (255 = the largest).  `past` is added to keys of earlier frames.
    """

    opcode: ClassVar[int] = 5
    q: Ref  # u8 (S, D)
    sink: Ref  # kv as in Heads
    old: Ref
    recent: Ref
    now: Ref
    style: Ref  # kv of `style_tokens` keys
    past: Ref  # float32 (H, K)
    y: Ref  # u8 (S, D), zero-point 128
    heads: int
    tokens: int
    style_tokens: int
    scale: float  # of values to y: step / step
    begin: int
    end: int

    def reads(self) -> Iterator[Span]:
        yield from rows(self.q, HEAD * self.heads, self.begin, self.end)
        for kv, keys in ((self.sink, 0), (self.old, 0), (self.recent, 0), (self.now, 0), (self.style, 1)):
            blocks = -(-(self.style_tokens if keys else self.tokens) // BLOCK)
            yield from span(kv, self.heads * blocks * BLOCK_BYTES)
        yield from span(self.past, 4 * self.heads * HEAD)

    def writes(self) -> Iterator[Span]:
        return rows(self.y, HEAD * self.heads, self.begin, self.end)

    def work(self) -> int:
        return 4 * (self.end - self.begin) * self.heads * HEAD * (4 * self.tokens + self.style_tokens)


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture(Task):
    """Rows of the picture shown: colour matrix on the source, plus the network's residual, mixed in by strength."""

    opcode: ClassVar[int] = 6
    source: Ref  # u8 (Y, X, 3)
    residual: Ref  # u8 (Y / 2, X / 2, 16): channels (dy, dx, colour)
    colour: Ref  # float32 (3, 4): matrix and offset, pictures in [-1, 1]
    strength: Ref  # float32, 0..1
    y: Ref  # u8 (Y, X, 3)
    width: int
    step: float  # of the residual
    zero: int  # of the residual
    begin: int  # rows of the residual
    end: int

    def reads(self) -> Iterator[Span]:
        yield from rows(self.source, 6 * self.width, self.begin, self.end)
        yield from rows(self.residual, 8 * self.width, self.begin, self.end)
        yield from span(self.colour, 48)
        yield from span(self.strength, 4)

    def writes(self) -> Iterator[Span]:
        return rows(self.y, 6 * self.width, self.begin, self.end)

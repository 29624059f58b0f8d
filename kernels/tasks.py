"""What a program is made of: one dataclass per kind of task, the single source of opcodes and layouts.

`kernels/cpu/tasks.h` is generated from this file (`python -m reverie.kernels.tasks`).  Every task works on its own rows
of static shapes; what it reads and writes is known before it runs.  Y, X picture, C channels, S tokens, T positions,
D width, H heads, K = D // H = 64.  u8 activations have a zero-point; `rows` are [begin, end).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, fields
from enum import IntEnum
from typing import ClassVar, NamedTuple

LANES = 16  # outs in one packed group of weights
BLOCK = 64  # keys in one block of packed keys and values
HEAD = 64  # K
BLOCK_BYTES = 2 * BLOCK * HEAD + 4 * BLOCK  # keys, values, and -128 * sum of each key
RECORD_BYTES = 128


class Ref(NamedTuple):
    """A place in a buffer; buffer -1 is none."""

    buffer: int
    offset: int = 0  # bytes

    def __add__(self, more: object) -> Ref:
        return Ref(self.buffer, self.offset + int(more))  # type: ignore[call-overload]


NONE = Ref(-1)


class Span(NamedTuple):
    """Bytes of a buffer."""

    buffer: int
    begin: int
    end: int


class Activation(IntEnum):
    NONE = 0
    HARD_SWISH = 1


class Norm(IntEnum):
    """What is done to the inputs of a projection."""

    NONE = 0
    RMS = 1
    LAYER = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One tile of one operator."""

    opcode: ClassVar[int]

    def reads(self) -> Iterator[Span]:
        raise NotImplementedError

    def writes(self) -> Iterator[Span]:
        raise NotImplementedError

    def work(self) -> int:
        """Multiplications and additions of 8-bit numbers."""
        return 0

    def record(self) -> bytes:
        """The task as the interpreter reads it."""
        values: list[int | float] = []
        for field in fields(self):
            value = getattr(self, field.name)
            values.extend(value if isinstance(value, Ref) else (value,))
        return struct.pack("<" + "".join(FORMATS[str(f.type)][0] for f in fields(self)), *values)


FORMATS = {"Ref": ("iI", "Ref"), "int": ("i", "std::int32_t"), "float": ("f", "float")}  # struct, C++


def span(ref: Ref, size: int) -> Iterator[Span]:
    if ref.buffer >= 0 and size:
        yield Span(ref.buffer, ref.offset, ref.offset + size)


def rows(ref: Ref, row_bytes: int, begin: int, end: int) -> Iterator[Span]:
    return span(ref + begin * row_bytes, (end - begin) * row_bytes)


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


KINDS: tuple[type[Task], ...] = (
    Conv, Unshuffle, Modulate, Heads, Attention, Picture, Embed, Project, Recollect, Pick,
)  # fmt: skip


def header() -> str:
    """The C++ header: opcodes, and a struct per kind that a record starts with."""
    lines = [
        "// Generated by `python -m reverie.kernels.tasks`: do not edit.",
        "#pragma once", "#include <cstdint>", "", "namespace reverie::tasks {", "",
        f"constexpr int block = {BLOCK}, head = {HEAD}, block_bytes = {BLOCK_BYTES}, record_bytes = {RECORD_BYTES};",
        "", "struct Ref {", "    std::int32_t buffer;  // -1: none", "    std::uint32_t offset;", "};", "",
        "enum class Opcode : std::int32_t {",
        *(f"    {kind.__name__.lower()} = {kind.opcode}," for kind in KINDS), "};",
    ]  # fmt: skip
    for kind in KINDS:
        lines += ["", f"struct {kind.__name__} {{"]
        lines += [f"    {FORMATS[str(field.type)][1]} {field.name};" for field in fields(kind)]
        lines += ["};", f"static_assert(sizeof({kind.__name__}) <= record_bytes);"]
    return "\n".join([*lines, "", "}  // namespace reverie::tasks", ""])


if __name__ == "__main__":
    print(header(), end="")

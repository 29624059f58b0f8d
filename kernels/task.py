"""What every task of a program has: places in buffers, what is read and written, and its record.

Every task works on its own rows of static shapes; what it reads and writes is known before it runs.  u8 activations
have a zero-point; `rows` are [begin, end).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import ClassVar, NamedTuple

LANES = 16  # outs in one packed group of weights
HEAD = 64  # K


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

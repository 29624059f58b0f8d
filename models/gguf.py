"""Reads GGUF version 2 and 3: metadata and tensors, dequantised to float32.

Source: the GGUF specification (ggml/docs/gguf.md) and the block layouts of ggml-quants.  Every length is checked, so a
cut or damaged file is one ValueError.
"""

from __future__ import annotations

import math
import mmap
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Blocks = NDArray[np.uint8]  # (blocks, bytes per block)

SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
STRING, ARRAY = 8, 9
MAX_ITEMS = 10_000_000
MAX_DIMENSIONS = 4


def _half(blocks: Blocks, start: int) -> Floats:
    return blocks[:, start : start + 2].copy().view(np.float16).astype(np.float32)


def _nibbles(blocks: Blocks, start: int) -> Floats:
    packed = blocks[:, start : start + 16]
    return np.concatenate((packed & 15, packed >> 4), 1).astype(np.float32)


def _q4_0(blocks: Blocks) -> Floats:
    return _half(blocks, 0) * (_nibbles(blocks, 2) - 8)


def _q4_1(blocks: Blocks) -> Floats:
    return _half(blocks, 0) * _nibbles(blocks, 4) + _half(blocks, 2)


def _q8_0(blocks: Blocks) -> Floats:
    return _half(blocks, 0) * blocks[:, 2:].view(np.int8)


def _q6_k(blocks: Blocks) -> Floats:
    low, high = blocks[:, :128].reshape(-1, 2, 64), blocks[:, 128:192].reshape(-1, 2, 32)
    scales = blocks[:, 192:208].view(np.int8).astype(np.float32)
    parts = [
        ((low[:, :, 32 * (i % 2) : 32 * (i % 2) + 32] >> (4 * (i // 2))) & 15) | (((high >> (2 * i)) & 3) << 4)
        for i in range(4)
    ]
    values = np.stack(parts, 2).reshape(-1, 16, 16).astype(np.float32) - 32
    return (_half(blocks, 208)[:, :, None] * scales[:, :, None] * values).reshape(-1, 256)


@dataclass(frozen=True, slots=True)
class Layout:
    """How a tensor type is stored."""

    name: str
    values: int  # per block
    size: int  # bytes per block
    read: Callable[[Blocks], Floats]


LAYOUTS = {
    0: Layout("F32", 1, 4, lambda b: b.copy().view(np.float32)),
    1: Layout("F16", 1, 2, lambda b: b.copy().view(np.float16).astype(np.float32)),
    2: Layout("Q4_0", 32, 18, _q4_0),
    3: Layout("Q4_1", 32, 20, _q4_1),
    8: Layout("Q8_0", 32, 34, _q8_0),
    14: Layout("Q6_K", 256, 210, _q6_k),
}


@dataclass(frozen=True, slots=True)
class Entry:
    shape: tuple[int, ...]  # row-major, as torch has it
    layout: Layout
    offset: int  # bytes from the start of the file


class GGUF:
    """An open file: `metadata`, and `tensor(name)`."""

    def __init__(self, path: Path) -> None:
        """Raises: FileNotFoundError; ValueError if the file is not GGUF, damaged, cut or of an unknown tensor type."""
        self.path = path
        with path.open("rb") as file:
            if path.stat().st_size < 24:
                raise ValueError(f"{path.name} is not a GGUF file: only {path.stat().st_size} bytes")
            self._data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        self._at = 0
        try:
            self._read_header()
        except (struct.error, UnicodeDecodeError, OverflowError) as error:
            raise ValueError(f"{path.name} is damaged near byte {self._at}: {error}") from None

    def _read_header(self) -> None:
        magic, version, tensors, pairs = self._unpack("<4sIQQ")
        if magic != b"GGUF" or version not in (2, 3):
            raise ValueError(f"{self.path.name} is not a GGUF file of version 2 or 3")
        self._limit(max(tensors, pairs), "entries")
        self.metadata: dict[str, Any] = {self._string(): self._value() for _ in range(pairs)}
        rows = [self._row() for _ in range(tensors)]
        alignment = self.metadata.get("general.alignment", 32)
        if not isinstance(alignment, int) or not 0 < alignment <= 65536:
            raise ValueError(f"{self.path.name} is damaged: alignment {alignment!r}")
        start = -(-self._at // alignment) * alignment
        self.entries: dict[str, Entry] = {}
        for name, shape, layout, offset in rows:
            values = math.prod(shape)
            if values % layout.values or start + offset + values // layout.values * layout.size > len(self._data):
                raise ValueError(f"{self.path.name} is cut or damaged: tensor {name} does not fit")
            self.entries[name] = Entry(shape, layout, start + offset)

    def _row(self) -> tuple[str, tuple[int, ...], Layout, int]:
        name, (count,) = self._string(), self._unpack("<I")
        if count > MAX_DIMENSIONS:
            raise ValueError(f"{self.path.name} is damaged: tensor {name} has {count} dimensions")
        shape = self._unpack(f"<{count}Q")[::-1]
        kind, offset = self._unpack("<IQ")
        if kind not in LAYOUTS:
            known = ", ".join(layout.name for layout in LAYOUTS.values())
            raise ValueError(f"{self.path.name}: tensor {name} has type {kind}; known are {known}")
        return name, shape, LAYOUTS[kind], offset

    def _unpack(self, format: str) -> tuple[Any, ...]:
        values = struct.unpack_from(format, self._data, self._at)
        self._at += struct.calcsize(format)
        return values

    def _limit(self, count: int, what: str) -> None:
        if count > MAX_ITEMS or count > len(self._data):
            raise ValueError(f"{self.path.name} is damaged near byte {self._at}: {count} {what}")

    def _string(self) -> str:
        (length,) = self._unpack("<Q")
        self._limit(length, "bytes of text")
        (text,) = self._unpack(f"<{length}s")
        return str(text, "utf-8")

    def _value(self) -> Any:
        (kind,) = self._unpack("<I")
        return self._array() if kind == ARRAY else self._scalar(kind)

    def _array(self) -> list[Any]:
        kind, count = self._unpack("<IQ")
        self._limit(count, "items")
        if kind in SCALARS:
            return list(self._unpack(f"<{count}{SCALARS[kind]}"))
        return self._strings(count) if kind == STRING else [self._scalar(kind) for _ in range(count)]

    def _strings(self, count: int) -> list[str]:
        """As `_string` so many times; a vocabulary has a hundred thousand."""
        length, found = struct.Struct("<Q"), []
        for _ in range(count):
            (size,) = length.unpack_from(self._data, self._at)
            text = self._data[self._at + 8 : self._at + 8 + size]
            if len(text) < size:
                raise ValueError(f"{self.path.name} is damaged near byte {self._at}: {size} bytes of text")
            found.append(str(text, "utf-8"))
            self._at += 8 + size
        return found

    def _scalar(self, kind: int) -> Any:
        if kind == STRING:
            return self._string()
        if kind not in SCALARS:
            raise ValueError(f"{self.path.name} is damaged near byte {self._at}: value type {kind}")
        return self._unpack("<" + SCALARS[kind])[0]

    def tensor(self, name: str) -> Floats:
        """A tensor as float32.  Raises KeyError if there is none of that name."""
        entry = self.entries[name]
        blocks = math.prod(entry.shape) // entry.layout.values
        raw = np.frombuffer(self._data, np.uint8, blocks * entry.layout.size, entry.offset)
        return entry.layout.read(raw.reshape(blocks, entry.layout.size)).reshape(entry.shape)

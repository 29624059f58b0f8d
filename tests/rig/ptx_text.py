"""The text of a kernel in PTX, as tests/rig/ptx.py runs it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import numpy as np

KINDS = {f"{t}{n}": np.dtype(f"{'f' if t == 'f' else 'i' if t == 's' else 'u'}{n // 8}") for t in "subf" for n in (8, 16, 32, 64)
         if not (t == "f" and n < 32)}  # fmt: skip
SYMBOL, REGISTER = re.compile(r"\[([^\]+]+)(?:\+(-?\d+))?\]"), re.compile(r"%[a-zA-Z]+\d*")
SHARED = re.compile(r"\.shared \.align (\d+) \.(\w+) (\w+)(?:\[(\d+)\])?;")


@dataclass
class Line:
    guard: str
    name: str
    operands: list[str]


@dataclass
class Text:
    """A kernel's instructions, and where its labels and its shared memory stand."""

    lines: list[Line] = field(default_factory=list)
    labels: dict[str, int] = field(default_factory=dict)
    shared: dict[str, int] = field(default_factory=dict)  # where each variable lies in a block's shared memory
    shared_bytes: int = 0


def parse(source: str) -> Text:
    text = Text()
    for align, kind, name, size in SHARED.findall(source):
        at = -(-text.shared_bytes // int(align)) * int(align)
        text.shared[name], text.shared_bytes = at, at + int(size or 1) * KINDS[f"u{kind[1:]}"].itemsize
    for raw in source[source.index("{", source.index(".entry")) + 1 :].split("\n"):
        line = raw.split("//")[0].strip()
        if found := re.match(r"(\$\w+):", line):
            text.labels[found[1]] = len(text.lines)
        elif line.endswith(";") and not line.startswith("."):
            guard, _, rest = line.rstrip(";").partition(" ") if line.startswith("@") else ("", "", line.rstrip(";"))
            name, _, operands = re.sub(r"\s+", " ", rest.strip()).partition(" ")
            each = re.split(r",(?![^{]*\})", operands) if operands.strip() else []
            text.lines.append(Line(guard[1:], name, [operand.strip() for operand in each]))
    return text

"""A model's calls as single instructions, each a line of the kernel: what NKI makes of them when it traces.

The tiles run on the simulator without arithmetic, on tensors that know the expression which made them.  With every
instruction, what it touches and what it costs known, the emitter decides the order in which several models' are issued.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from itertools import count
from types import FunctionType, SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reverie.kernels.neuron.nkisim import isa, language, shim
from reverie.kernels.neuron.nkisim.clock import Issued
from reverie.kernels.neuron.nkisim.language import VirtualRegister
from reverie.kernels.neuron.nkisim.machine import Machine, running
from reverie.kernels.neuron.nkisim.tensor import NkiTensor

TILES = {"v": "tiles", "a": "tiles_attention", "w": "tiles_language", "q": "tiles_mx"}
TYPES = {
    kind: name for name, kind in vars(language).items() if isinstance(kind, np.dtype) and not name.startswith("_")
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction; `texts` ends with it and begins with the memory and registers that it needs first."""

    texts: tuple[str, ...]
    issued: Issued


class Told(NkiTensor):
    """A tensor and the expression that made it."""

    def __init__(self, tensor: NkiTensor, text: str) -> None:
        super().__init__(tensor.block, tensor.array)
        self.text = text

    def __getitem__(self, index: Any) -> Told:
        parts = index if isinstance(index, tuple) else (index,)
        return Told(super().__getitem__(index), f"{self.text}[{', '.join(map(_index, parts))}]")

    def reshape(self, shape: Sequence[int]) -> Told:
        return Told(super().reshape(shape), f"{self.text}.reshape({tuple(shape)})")

    def ap(self, pattern: Sequence[Sequence[int]], offset: int = 0, scalar_offset: Any = None) -> Told:
        made = super().ap(pattern, offset, scalar_offset)
        text = f"{self.text}.ap(pattern={pattern}, offset={offset}"
        return Told(made, f"{text})" if scalar_offset is None else f"{text}, scalar_offset={said(scalar_offset)})")

    def broadcast(self, dim: int, size: int) -> Told:
        return Told(super().broadcast(dim, size), f"{self.text}.broadcast({dim}, {size})")


class Register(VirtualRegister):
    """A register and the expression that made it."""

    def __init__(self, value: int, text: str) -> None:
        super().__init__(value)
        self.text = text

    def __mul__(self, other: int) -> Register:
        return Register(self.value * other, f"({self.text} * {other})")

    def __add__(self, other: int) -> Register:
        return Register(self.value + other, f"({self.text} + {other})")


def said(value: Any) -> str:
    """An argument of an instruction as source.  Raises: ValueError for what has no text."""
    if isinstance(value, (Told, Register)):
        return value.text
    if isinstance(value, Enum):
        return f"nisa.{type(value).__name__}.{value.name}"
    if isinstance(value, np.dtype):
        return f"nl.{TYPES[value]}"
    if isinstance(value, str):  # the simulator's operators and memories are their names
        return f"nl.{value}"
    if isinstance(value, (list, tuple)):
        return str(value)
    if value is None or isinstance(value, (bool, int, float)):
        return repr(value)
    raise ValueError(f"{value!r} cannot stand in a kernel's source")


def _index(part: Any) -> str:
    if not isinstance(part, slice):
        return str(part)
    ends = ("" if end is None else str(end) for end in (part.start, part.stop))
    return ":".join(ends) + ("" if part.step is None else f":{part.step}")


@dataclass
class Recorder:
    """Stands in for `nki.isa` and `nki.language` while tiles run, and writes down what they call."""

    numbers: Iterator[int] = field(default_factory=count)
    machine: Machine = field(default_factory=lambda: Machine(computing=False, clocked=False))
    waiting: list[str] = field(default_factory=list)  # memory and registers that no instruction has used yet
    made: list[Instruction] = field(default_factory=list)

    def isa(self) -> SimpleNamespace:
        names = {name: getattr(isa, name) for name in isa.__all__}
        calls = {name: self._recorded(name, each) for name, each in names.items() if isinstance(each, FunctionType)}
        return SimpleNamespace(**names | calls | {"register_alloc": self._register})

    def language(self) -> SimpleNamespace:
        return SimpleNamespace(**vars(language) | {"ndarray": self._memory})

    def _recorded(self, name: str, function: FunctionType) -> Any:
        def call(*args: Any, **options: Any) -> None:
            before = len(self.machine.issued)
            function(*args, **options)
            given = [*map(said, args), *(f"{key}={said(value)}" for key, value in options.items())]
            self.waiting.append(f"nisa.{name}({', '.join(given)})")
            if len(self.machine.issued) > before:
                self.made.append(Instruction(tuple(self.waiting), self.machine.issued[-1]))
                self.waiting.clear()

        return call

    def _register(self, x: int | None = None) -> Register:
        name = f"r{next(self.numbers)}"
        self.waiting.append(f"{name} = nisa.register_alloc({0 if x is None else int(x)})")
        return Register(0, name)

    def _memory(
        self, shape: Sequence[int], dtype: Any, buffer: str = "sbuf", name: str = "",
        address: tuple[int, int] | None = None,
    ) -> Told:  # fmt: skip
        unique = f"{name or 'tensor'}_{next(self.numbers)}"
        made = language.ndarray(shape, dtype, buffer, unique, address)
        at = "" if address is None else f", address={address}"
        text = (
            f'{unique} = nl.ndarray({tuple(shape)}, {said(np.dtype(dtype))}, buffer=nl.{buffer}, name="{unique}"{at})'
        )
        self.waiting.append(text)
        return Told(made, unique)


def tiles(nisa: Any, nl: Any) -> dict[str, SimpleNamespace]:
    """The modules of tiles as kernels name them, their functions calling other instructions than `nki`'s."""
    shim.install()
    modules = {name: importlib.import_module(f"reverie.kernels.neuron.{module}") for name, module in TILES.items()}
    spaces = {module.__name__: vars(module) | {"nisa": nisa, "nl": nl} for module in modules.values()}
    for space in spaces.values():
        for name, each in space.items():
            if isinstance(each, FunctionType) and each.__module__ in spaces:
                space[name] = FunctionType(each.__code__, spaces[each.__module__], name, each.__defaults__)
    return {name: SimpleNamespace(**spaces[module.__name__]) for name, module in modules.items()}


def unrolled(
    parts: Sequence[tuple[str, Sequence[tuple[str, str]]]], arrays: Mapping[str, NDArray[Any]], held: Sequence[str]
) -> list[Instruction]:
    """The instructions of all parts, each part's in its order.

    Args:
        parts: of each model its name and its calls: operator and text.
        arrays: inputs and outputs in HBM, by the name that the calls have for them; only shapes and types matter.
        held: lines that come before all calls and whose variables all models have; theirs is no model.
    """
    recorder = Recorder()
    nisa, nl = recorder.isa(), recorder.language()
    space: dict[str, Any] = {"nisa": nisa, "nl": nl, **tiles(nisa, nl)}
    space |= {name: Told(recorder.machine.hbm(name, array), name) for name, array in arrays.items()}
    with running(recorder.machine):
        exec("\n".join(held), space)
        for name, value in space.items():  # they stand in the kernel under their own names
            if isinstance(value, Told):
                value.text = name
        for model, calls in parts:
            for op, text in calls:
                recorder.machine.label = f"{model}/{op}"
                exec(text, space)
    return recorder.made

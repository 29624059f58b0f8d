"""Turns a program into one traced NKI kernel: source text that calls the tiles, and the arrays it wants in HBM.

NKI has no interpreter on the device: everything is known when the kernel is traced.  So the order of tiles, every
address in SBUF and PSUM and the place of each weight are decided here.  The calls of several models are laid between
one another by how much of each is done, so that the LLM's weights stream in while the video model multiplies.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from numpy.typing import NDArray

from reverie.kernels.program import Program
from reverie.kernels.tasks import Ref, Task

FIXED_AT, FIXED_BYTES = 0, 2048
HALF = 77_824  # bytes of each of the two regions that operators of the video model take in turn
VIDEO_AT = FIXED_BYTES
LANGUAGE_AT = VIDEO_AT + 2 * HALF
END = 196_608
BYTES_PER_NS, CYCLES_PER_NS = 528.0, 2.4  # of DMA and of TensorE: what calls cost, about


@dataclass(frozen=True, slots=True)
class Call:
    """One line of the kernel, with the model and operator it belongs to and what it costs: nanoseconds, about."""

    model: str
    op: str
    text: str
    cost: float


@dataclass(frozen=True, slots=True)
class Map:
    """Bytes in HBM, (channels, pixels)."""

    name: str
    channels: int
    pixels: int


@dataclass(frozen=True, slots=True)
class Place:
    """A map's bytes in the program's buffers, (pixels, channels); signed: the kernel has them less 128, as int8."""

    program: Program
    ref: Ref
    channels: int
    pixels: int
    signed: bool = False


@dataclass(frozen=True, slots=True)
class Tall:
    """A vector's float32; the kernel has it as (rows, columns), component column * rows + row."""

    program: Program
    ref: Ref
    rows: int
    columns: int


@dataclass
class Plan:
    """What one model's part of the kernel is made of."""

    model: str
    calls: list[Call] = field(default_factory=list)
    inputs: dict[str, NDArray[Any] | None] = field(default_factory=dict)  # None: filled before each launch
    outputs: list[str] = field(default_factory=list)
    reads: dict[str, Place | Tall] = field(default_factory=dict)  # where inputs that are maps or vectors come from
    writes: dict[str, Place | Tall] = field(default_factory=dict)  # where outputs that are such belong

    def call(self, op: str, text: str, cost: float = 0.0) -> None:
        self.calls.append(Call(self.model, op, text, cost))


@dataclass(frozen=True, slots=True)
class Kernel:
    """`source` defines `kernel(...)` of the inputs, in order, and returns the outputs, in order."""

    source: str
    inputs: dict[str, NDArray[Any] | None]
    outputs: tuple[str, ...]
    reads: dict[str, Place | Tall]
    writes: dict[str, Place | Tall]


def operators(program: Program, model: int) -> Iterator[tuple[str, list[Task]]]:
    """The operators of a model in their order, each with all its tasks."""
    nodes = (node for node in program.nodes if node.model == model)
    for op, group in groupby(nodes, key=lambda node: node.op):
        yield op, [node.task for node in group]


def interleaved(plans: list[Plan]) -> Iterator[Call]:
    """The next call of whichever model is the least done; costs decide, so that all end together."""
    whole = [sum(c.cost for c in plan.calls) or 1.0 for plan in plans]
    done, place = [0.0] * len(plans), [0] * len(plans)
    while any(place[i] < len(plan.calls) for i, plan in enumerate(plans)):
        i = min((i for i, plan in enumerate(plans) if place[i] < len(plan.calls)), key=lambda i: done[i] / whole[i])
        call = plans[i].calls[place[i]]
        place[i], done[i] = place[i] + 1, done[i] + call.cost
        yield call


def one_after_the_other(plans: list[Plan]) -> Iterator[Call]:
    for plan in plans:
        yield from plan.calls


def kernel(plans: list[Plan], interleave: bool = True) -> Kernel:
    """One kernel of the parts of several models.  Raises: ValueError if two want different inputs of one name."""
    inputs: dict[str, NDArray[Any] | None] = {}
    for plan in plans:
        for name, array in plan.inputs.items():
            if inputs.setdefault(name, array) is not array and name != "fixed":
                raise ValueError(f"two models have an input {name}")
    outputs = tuple(name for plan in plans for name in plan.outputs)
    lines, last = [], None
    for call in interleaved(plans) if interleave else one_after_the_other(plans):
        if (call.model, call.op) != last:
            last = (call.model, call.op)
            lines.append(f"mark({call.model!r}, {call.op!r})")
        lines.append(call.text)
    source = "\n".join([
        '"""Emitted by reverie.kernels.neuron.emit: do not edit."""', "",
        "import nki", "import nki.isa as nisa", "import nki.language as nl", "",
        "from reverie.kernels.neuron import tiles as v", "from reverie.kernels.neuron import tiles_attention as a",
        "from reverie.kernels.neuron import tiles_language as w", "from reverie.kernels.neuron import tiles_mx as q",
        "from reverie.kernels.neuron.marks import mark", "", "", "@nki.jit", f"def kernel({', '.join(inputs)}):",
        f"    held = v.load(fixed, 128, 0, 386, nl.float32, {FIXED_AT})",
        "    ones, heads, swap = held[:, 0:128], held[:, 128:256], held[:, 256:384]",
        "    epsilon, small = held[:, 384:385], held[:, 385:386]",
        *(f"    {line}" for line in lines), f"    return ({', '.join(outputs)},)", "",
    ])  # fmt: skip
    reads = {name: place for plan in plans for name, place in plan.reads.items()}
    writes = {name: place for plan in plans for name, place in plan.writes.items()}
    return Kernel(source, inputs, outputs, reads, writes)


def named(text: str) -> str:
    """An operator's name as a part of an identifier."""
    return text.replace(".", "_").replace("/", "_")

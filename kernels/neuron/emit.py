"""Turns a program into one traced NKI kernel: source text that calls the tiles, and the arrays it wants in HBM.

NKI has no interpreter on the device: everything is known when the kernel is traced.  So the order of tiles, every
address in SBUF and PSUM and the place of each weight are decided here.  The instructions of several models are laid
between one another as the cycle model can begin them, so that the LLM's weights stream in while the video model
multiplies.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reverie.kernels.neuron.constants import values
from reverie.kernels.neuron.nkisim.clock import merged
from reverie.kernels.neuron.unrolled import unrolled
from reverie.kernels.program import Program
from reverie.kernels.tasks import Ref, Task

FIXED_AT, FIXED_BYTES = 0, 2048
HALF = 77_824  # bytes of each of the two regions that operators of the video model take in turn
VIDEO_AT = FIXED_BYTES
LANGUAGE_AT = VIDEO_AT + 2 * HALF
END = 196_608
HEAD = '''"""Emitted by reverie.kernels.neuron.emit: do not edit."""

import nki
import nki.isa as nisa
import nki.language as nl

from reverie.kernels.neuron import tiles as v
from reverie.kernels.neuron import tiles_attention as a
from reverie.kernels.neuron import tiles_language as w
from reverie.kernels.neuron import tiles_mx as q
from reverie.kernels.neuron.marks import mark


@nki.jit
def kernel({}):'''
HELD = (
    f"held = v.load(fixed, 128, 0, 386, nl.float32, {FIXED_AT})",
    "ones, heads, swap = held[:, 0:128], held[:, 128:256], held[:, 256:384]",
    "epsilon, small = held[:, 384:385], held[:, 385:386]",
)
OWN = ("video_vectors", "colour", "past_")  # how inputs begin that a stream's look is folded into


@dataclass(frozen=True, slots=True)
class Call:
    """One line of a model's part, with the operator it belongs to."""

    op: str
    text: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """An input that is filled before each launch."""

    shape: tuple[int, ...]
    kind: str


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
    inputs: dict[str, NDArray[Any] | Wanted] = field(default_factory=dict)
    outputs: dict[str, tuple[tuple[int, ...], str]] = field(default_factory=dict)  # shape and type
    reads: dict[str, Place | Tall] = field(default_factory=dict)  # where inputs that are maps or vectors come from
    writes: dict[str, Place | Tall] = field(default_factory=dict)  # where outputs that are such belong

    def call(self, op: str, text: str) -> None:
        self.calls.append(Call(op, text))


@dataclass(frozen=True, slots=True)
class Kernel:
    """`source` defines `kernel(...)` of the inputs, in order, and returns the outputs, in order.

    each: inputs that every core has for itself, in a first dimension, as it has every output.
    """

    source: str
    inputs: dict[str, NDArray[Any] | Wanted]
    outputs: tuple[str, ...]
    reads: dict[str, Place | Tall]
    writes: dict[str, Place | Tall]
    cores: int = 1
    each: frozenset[str] = frozenset()


def operators(program: Program, model: int) -> Iterator[tuple[str, list[Task]]]:
    """The operators of a model in their order, each with all its tasks."""
    nodes = (node for node in program.nodes if node.model == model)
    for op, group in groupby(nodes, key=lambda node: node.op):
        yield op, [node.task for node in group]


def kernel(plans: list[Plan], interleave: bool = True, cores: int = 1) -> Kernel:
    """One kernel of the parts of several models.

    Args:
        interleave: whether several models are laid between one another, instruction by instruction; else one follows
            the other.
        cores: 2 for a pair of cores (LNC2), each with a stream of its own and the weights in common; control flow is
            the same, so they need not wait for each other.
    Raises: ValueError if two models want different inputs of one name, or write memory in common.
    """
    inputs: dict[str, NDArray[Any] | Wanted] = {}
    for plan in plans:
        for name, array in plan.inputs.items():
            if inputs.setdefault(name, array) is not array and name != "fixed":
                raise ValueError(f"two models have an input {name}")
    outputs = {name: made for plan in plans for name, made in plan.outputs.items()}
    own = {name for name, array in inputs.items() if isinstance(array, Wanted) or name.startswith(OWN)}
    mixed = interleave and len(plans) > 1
    body = scheduled(plans, inputs, outputs) if mixed else one_after_the_other(plans)
    given = [name if cores == 1 else f"all_{name}" for name in outputs]
    lines = [*HELD, *_head(outputs, own, cores), *body, f"return ({', '.join(given)},)"]
    head = HEAD.format(", ".join(inputs))
    reads = {name: place for plan in plans for name, place in plan.reads.items()}
    writes = {name: place for plan in plans for name, place in plan.writes.items()}
    source = "\n".join([head, *(f"    {line}" for line in lines), ""])
    return Kernel(source, inputs, tuple(outputs), reads, writes, cores, frozenset(own if cores > 1 else ()))


def one_after_the_other(plans: list[Plan]) -> Iterator[str]:
    """The calls of each model, with marks where an operator begins."""
    for plan in plans:
        for op, calls in groupby(plan.calls, key=lambda call: call.op):
            yield f"mark({plan.model!r}, {op!r})"
            yield from (call.text for call in calls)


def scheduled(
    plans: list[Plan], inputs: dict[str, NDArray[Any] | Wanted], outputs: dict[str, tuple[tuple[int, ...], str]]
) -> Iterator[str]:
    """Single instructions of all models: next comes the one that the cycle model can begin first.

    Engines take their instructions in the order of the kernel, so this order decides what overlaps; the compiler is
    told to keep it.  Each model's instructions keep theirs.
    """
    arrays = {name: _shaped(array) for name, array in inputs.items()}
    arrays |= {name: np.empty(shape, kind) for name, (shape, kind) in outputs.items()}
    parts = [(plan.model, [(call.op, call.text) for call in plan.calls]) for plan in plans]
    made, label = unrolled(parts, arrays, HELD), ""
    yield "with nl.no_reorder():"
    for number in merged([each.issued for each in made], values()):
        if made[number].issued.model:  # what all share stands before
            if made[number].issued.label != label:
                label = made[number].issued.label
                model, _, op = label.partition("/")
                yield f"    mark({model!r}, {op!r})"
            yield from (f"    {text}" for text in made[number].texts)


def _shaped(array: NDArray[Any] | Wanted) -> NDArray[Any]:
    return np.empty(array.shape, array.kind) if isinstance(array, Wanted) else array


def _head(outputs: dict[str, tuple[tuple[int, ...], str]], own: set[str], cores: int) -> Iterator[str]:
    """Memory for the outputs; of several cores, each takes its part of everything that is its own."""
    if cores > 1:
        yield "core = nl.program_id(0)"
        yield from (f"{name} = {name}[core]" for name in sorted(own))
    for name, (shape, kind) in outputs.items():
        whole, every = (shape, name) if cores == 1 else ((cores, *shape), f"all_{name}")
        yield f'{every} = nl.ndarray({whole}, nl.{kind}, buffer=nl.shared_hbm, name="{name}")'
        if cores > 1:
            yield f"{name} = {every}[core]"


def named(text: str) -> str:
    """An operator's name as a part of an identifier."""
    return text.replace(".", "_").replace("/", "_")

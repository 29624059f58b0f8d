"""Small random programs, what they leave, ways to break them, and the file that kernels/cpu/replay.cpp reads."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reverie.kernels import reference
from reverie.kernels.machine import flat, memory
from reverie.kernels.program import Builder, Node, Program, Role
from reverie.kernels.tasks import NONE, Modulate, Norm, Project, Ref, Span, Task, Unshuffle

U8 = NDArray[np.uint8]
Pick = Callable[[int], int]  # one of range(n)
BYTES, FLOATS = 1024, 512  # of every buffer of bytes; of every buffer of numbers
ROWS, WIDTH = 16, 64  # tokens; a picture is 16 x 16, of which 8 rows of 128 bytes become


class Draft:
    """A model of random operators over few buffers, so that they are written again and again."""

    def __init__(self, pick: Pick, name: str) -> None:
        self.pick, self.name, self.b = pick, name, Builder(name)
        self.given: dict[str, U8] = {}
        rng = np.random.default_rng(pick(1000))
        put = lambda what, array, role: self._put(f"{name}.{what}", array, role)
        self.gain = put("gain", rng.normal(0, 60, 2 * WIDTH).astype(np.float32), Role.CONSTANT)
        self.weight = put("weight", rng.integers(-127, 128, WIDTH * WIDTH).astype(np.int8), Role.CONSTANT)
        self.sums = put("sums", rng.integers(-999, 999, WIDTH).astype(np.int32), Role.CONSTANT)
        frame = put("frame", rng.integers(0, 256, BYTES).astype(np.uint8), Role.INPUT)
        sound = put("sound", rng.normal(0, 1, FLOATS // 4).astype(np.float32), Role.INPUT)
        self.bytes = [self.b.buffer(f"{name}.b{i}", BYTES, role) for i, role in enumerate(_ROLES)]
        self.floats = [self.b.buffer(f"{name}.f{i}", FLOATS, role) for i, role in enumerate(_ROLES)]
        kept = [i for i, role in enumerate(_ROLES) if role is not Role.TEMPORARY]
        self.filled = {frame, sound, *(each[i] for each in (self.bytes, self.floats) for i in kept)}
        self.sources: dict[bool, list[Ref]] = {False: [frame, *self.bytes], True: [sound, *self.floats]}

    def _put(self, name: str, array: NDArray[np.generic], role: Role) -> Ref:
        raw = np.ascontiguousarray(array).view(np.uint8)
        self.given[name] = memory(raw.nbytes)
        self.given[name][:] = raw
        return self.b.buffer(name, raw.nbytes, role)

    def op(self, number: int) -> None:
        """Any operator from any filled buffer to any other, in one to four tasks."""
        kind = self.pick(3)
        known = [ref for ref in self.sources[kind == 2] if ref in self.filled]
        x = known[self.pick(len(known))]
        targets = [ref for ref in (self.floats if kind == 2 else self.bytes) if ref != x]
        y = targets[self.pick(len(targets))]
        whole = (ROWS, 8, 2)[kind]
        cuts = sorted({0, whole, *(self.pick(whole) for _ in range(self.pick(4)))})
        if y in self.filled and len(cuts) > 2 and self.pick(2):
            cuts = cuts[1:]  # only a part is written again
        self.filled.add(y)
        make = (self._modulate, self._unshuffle, self._project)[kind]
        self.b.op(f"{number}", [make(x, y, begin, end) for begin, end in pairwise(cuts)])

    def _modulate(self, x: Ref, y: Ref, begin: int, end: int) -> Task:
        return Modulate(x=x, gain=self.gain, shift=self.gain + 4 * WIDTH, y=y, width=WIDTH, x_zero=120, y_zero=128,
                        begin=begin, end=end)  # fmt: skip

    def _unshuffle(self, x: Ref, y: Ref, begin: int, end: int) -> Task:
        return Unshuffle(x=x, y=y, width=16, zero=128, begin=begin, end=end)

    def _project(self, x: Ref, y: Ref, begin: int, end: int) -> Task:
        return Project(
            x=x, gain=NONE, weight=self.weight, sums=self.sums, scale=self.gain, residual=NONE, y=y, count=2, width=WIDTH,
            outs=WIDTH, norm=int(Norm.RMS), gated=0, epsilon=1e-5, begin=32 * begin, end=32 * end,
        )  # fmt: skip


_ROLES = (Role.TEMPORARY, Role.TEMPORARY, Role.TEMPORARY, Role.STATE, Role.OUTPUT)


def draft(pick: Pick, workers: int, name: str = "m", most: int = 14) -> tuple[Program, dict[str, U8]]:
    """A program of one model, and the contents of its constants and inputs."""
    model = Draft(pick, name)
    for number in range(2 + pick(most - 1)):
        model.op(number)
    return model.b.finish(workers), model.given


def dice(seed: int) -> Pick:
    rng = np.random.default_rng(seed)
    return lambda n: int(rng.integers(n))


def buffers(program: Program, given: Mapping[str, U8]) -> list[U8]:
    """Fresh buffers: what is given is copied."""
    made = [memory(buffer.bytes) for buffer in program.buffers]
    for array, buffer in zip(made, program.buffers, strict=True):
        if buffer.name in given:
            array[:] = given[buffer.name][: buffer.bytes]
    return made


def left(program: Program, given: Mapping[str, U8], epochs: int, seed: int | None = None) -> list[U8]:
    """What the reference leaves in every buffer, in order or in a random one."""
    made, rng = buffers(program, given), None if seed is None else np.random.default_rng(seed)
    for _ in range(epochs):
        for model in range(len(program.models)):
            reference.launch(program, model, made, rng)
    return made


def save(path: Path, program: Program, before: Sequence[U8], after: Sequence[U8], epochs: int) -> None:
    """Words of 32 bits, then buffers with their contents before and after; see `read` in replay.cpp."""
    form, workers = flat(program), len(program.queues[0])
    head = (len(form.nodes), len(form.waits), len(program.counters), len(program.models), workers, len(before), epochs)
    parts: list[bytes] = [np.array(head, np.int32).tobytes(), form.nodes.tobytes(), form.waits.tobytes(), form.records]
    parts.append(np.array(program.counters, np.int32).tobytes())
    parts += [np.array([len(q), *q], np.int32).tobytes() for each in program.queues for q in each]
    for buffer, old, new in zip(program.buffers, before, after, strict=True):
        size = buffer.bytes
        parts += [np.array([size], np.int32).tobytes(), old[:size].tobytes(), new[:size].tobytes()]
    path.write_bytes(b"".join(parts))


# --- ways to break a program ---


def changed(program: Program, number: int, **changes: object) -> Program:
    """With other fields in one node."""
    nodes = list(program.nodes)
    nodes[number] = replace(nodes[number], **changes)  # type: ignore[arg-type]
    return replace(program, nodes=tuple(nodes))


def waits(program: Program) -> Iterator[tuple[int, int]]:
    """(node, index) of every wait."""
    for number, node in enumerate(program.nodes):
        for index in range(len(node.waits)):
            yield number, index


def lowered(program: Program, number: int, index: int) -> Program:
    each = list(program.nodes[number].waits)
    each[index] = (each[index][0], each[index][1] - 1)
    return changed(program, number, waits=tuple(each))


def dropped(program: Program, number: int, index: int) -> Program:
    each = program.nodes[number].waits
    return changed(program, number, waits=each[:index] + each[index + 1 :])


def kinds(program: Program, number: int, index: int) -> set[tuple[str, str]]:
    """Why a node waits for a counter: RAW, WAR or WAW, and whether one task or several signal it."""
    node = program.nodes[number]
    counter, threshold = node.waits[index]
    found = set()
    for other in (n for n in program.nodes if n.signal == counter):
        for why, mine, theirs in (
            ("RAW", node.task.reads(), other.task.writes()), ("WAR", node.task.writes(), other.task.reads()),
            ("WAW", node.task.writes(), other.task.writes()),
        ):  # fmt: skip
            if meet(list(mine), list(theirs)):
                found.add((why, "single" if threshold == 1 else "shared"))
    return found


def meet(one: Sequence[Span], two: Sequence[Span]) -> bool:
    return any(a.buffer == b.buffer and a.begin < b.end and b.begin < a.end for a in one for b in two)


def needs(program: Program, node: Node) -> list[int]:
    """The nodes that it waits for."""
    heard = {counter for counter, _ in node.waits}
    return [n for n, other in enumerate(program.nodes) if other.signal in heard]


def swapped(program: Program, first: int, second: int) -> Program:
    """With two nodes in each other's place in the queues."""
    place = {first: second, second: first}
    return replace(
        program, queues=tuple(tuple(tuple(place.get(n, n) for n in q) for q in each) for each in program.queues)
    )

"""A program: tasks on buffers, ordered by counters, with a queue per model and worker.

A program holds one or more models.  Each advances at its own epoch: one pass over all its tasks.  A task starts when
every counter it waits for has reached threshold * epoch, and adds one to its own counter when it is done; counters are
never reset.  Temporaries of a model share one arena.  Models exchange data through slots only: one writes the back
while others read the front, and whoever launches flips them between launches.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from enum import Enum

from reverie.kernels.tasks import Ref, Span, Task

ALIGN = 64  # bytes; also what a tile may read beyond the end of its operands


class Role(Enum):
    """Who fills a buffer, and how long it lasts."""

    CONSTANT = "constant"  # weights: filled once, read only
    STATE = "state"  # kept from one epoch to the next
    INPUT = "input"  # filled before a launch
    OUTPUT = "output"  # read after a launch
    FRONT = "front"  # of a slot: what the other model published last
    BACK = "back"  # of a slot: what this model is writing
    ARENA = "arena"  # temporaries
    TEMPORARY = "temporary"  # only while a program is built


@dataclass(frozen=True, slots=True)
class Buffer:
    name: str
    bytes: int
    role: Role


@dataclass(frozen=True, slots=True)
class Node:
    """A task with its place in the order."""

    task: Task
    op: str
    model: int
    waits: tuple[tuple[int, int], ...]  # (counter, threshold)
    signal: int  # the counter it adds one to


@dataclass(frozen=True, slots=True)
class Program:
    buffers: tuple[Buffer, ...]
    nodes: tuple[Node, ...]
    counters: tuple[int, ...]  # model of each
    models: tuple[str, ...]
    queues: tuple[tuple[tuple[int, ...], ...], ...]  # [model][worker]: nodes in order

    def find(self, name: str) -> int:
        """Index of the buffer of that name.  Raises KeyError."""
        for index, buffer in enumerate(self.buffers):
            if buffer.name == name:
                return index
        raise KeyError(name)

    def work(self, model: int) -> int:
        return sum(node.task.work() for node in self.nodes if node.model == model)


def join(programs: Sequence[Program]) -> Program:
    """One program of several.  Buffers of the same name and size are one buffer."""
    buffers: dict[str, Buffer] = {}
    nodes: list[Node] = []
    counters: list[int] = []
    models: list[str] = []
    queues: list[tuple[tuple[int, ...], ...]] = []
    for program in programs:
        for buffer in program.buffers:
            if buffers.setdefault(buffer.name, buffer) != buffer:
                raise ValueError(f"two programs disagree about buffer {buffer.name}")
        place = {name: index for index, name in enumerate(buffers)}
        moved = {i: place[b.name] for i, b in enumerate(program.buffers)}
        shift, model, first = len(counters), len(models), len(nodes)
        nodes += [
            Node(
                _moved(node.task, lambda ref, moved=moved: Ref(moved[ref.buffer], ref.offset)), node.op,
                node.model + model, tuple((c + shift, n) for c, n in node.waits), node.signal + shift,
            )
            for node in program.nodes
        ]  # fmt: skip
        counters += [m + model for m in program.counters]
        models += program.models
        queues += [tuple(tuple(n + first for n in queue) for queue in each) for each in program.queues]
    return Program(tuple(buffers.values()), tuple(nodes), tuple(counters), tuple(models), tuple(queues))


def _moved(task: Task, move) -> Task:  # type: ignore[no-untyped-def]
    refs = {f.name: getattr(task, f.name) for f in fields(task) if f.type == "Ref"}
    return replace(task, **{name: move(ref) for name, ref in refs.items() if ref.buffer >= 0})


class Builder:
    """Collects the operators of one model in order; `finish` finds what each task must wait for."""

    def __init__(self, model: str) -> None:
        self.model = model
        self.buffers: list[Buffer] = []
        self.ops: list[tuple[str, list[Task]]] = []

    def buffer(self, name: str, size: int, role: Role = Role.TEMPORARY) -> Ref:
        self.buffers.append(Buffer(name, -(-size // ALIGN) * ALIGN, role))
        return Ref(len(self.buffers) - 1)

    def resize(self, ref: Ref, size: int) -> None:
        """Set the size of a buffer that was made before it was known."""
        kept = self.buffers[ref.buffer]
        self.buffers[ref.buffer] = Buffer(kept.name, -(-size // ALIGN) * ALIGN, kept.role)

    def op(self, name: str, tasks: Sequence[Task]) -> None:
        """An operator: tasks that may run in any order among themselves."""
        self.ops.append((name, list(tasks)))

    def finish(self, workers: int, reuse: bool = True) -> Program:
        """Args: reuse: whether temporaries share memory; if not, they keep what the epoch before left."""
        place, buffers = self._arena(reuse)
        ops = [(name, [_moved(t, place) for t in tasks]) for name, tasks in self.ops]
        tasks = [(name, task) for name, each in ops for task in each]
        needs = dependencies([task for _, task in tasks])
        waits, signals, count = _counters([name for name, _ in tasks], needs)
        nodes = [Node(task, name, 0, waits[i], signals[i]) for i, (name, task) in enumerate(tasks)]
        queues = _queues([len(each) for _, each in ops], workers)
        return Program(tuple(buffers), tuple(nodes), (0,) * count, (self.model,), (queues,))

    def _arena(self, reuse: bool):  # type: ignore[no-untyped-def]
        """Where each temporary lies in one arena, and the buffers that are left."""
        life: dict[int, tuple[int, int]] = {}
        for number, (_, tasks) in enumerate(self.ops):
            for at in (s for task in tasks for s in (*task.reads(), *task.writes())):
                life[at.buffer] = (life.get(at.buffer, (number, 0))[0], number)
        short = [i for i, b in enumerate(self.buffers) if b.role is Role.TEMPORARY and i in life]
        ever = (0, len(self.ops))
        offsets = pack({i: (*(life[i] if reuse else ever), self.buffers[i].bytes + ALIGN) for i in short})
        size = max((offsets[i] + self.buffers[i].bytes + ALIGN for i in short), default=ALIGN)
        kept = [i for i, b in enumerate(self.buffers) if b.role is not Role.TEMPORARY]
        index = {old: new for new, old in enumerate(kept)}
        arena = len(kept)

        def place(ref: Ref) -> Ref:
            if ref.buffer in offsets:
                return Ref(arena, offsets[ref.buffer] + ref.offset)
            return Ref(index[ref.buffer], ref.offset)

        return place, [*(self.buffers[i] for i in kept), Buffer(f"arena.{self.model}", size, Role.ARENA)]


def pack(lives: dict[int, tuple[int, int, int]]) -> dict[int, int]:
    """Offsets for things of (first use, last use, size) such that no two that live at once overlap; largest first."""
    placed: dict[int, int] = {}
    for key in sorted(lives, key=lambda k: -lives[k][2]):
        first, last, size = lives[key]
        busy = sorted(
            (placed[k], placed[k] + lives[k][2]) for k in placed if lives[k][0] <= last and first <= lives[k][1]
        )
        offset = 0
        for begin, end in busy:
            if offset + size <= begin:
                break
            offset = max(offset, end)
        placed[key] = offset
    return placed


class Frontier:
    """Who touched which bytes of a buffer last: the latest writer of each byte and its readers since.

    Kept as pieces side by side, each up to the next one's begin; tasks are bits.
    """

    def __init__(self) -> None:
        self.begins = [0]
        self.touched = [(0, 0)]  # writer, readers

    def read(self, task: int, begin: int, end: int) -> int:
        found, first, last = 0, self._cut(begin), self._cut(end)
        for i in range(first, last):
            writer, readers = self.touched[i]
            found |= writer
            self.touched[i] = writer, readers | 1 << task
        return found

    def write(self, task: int, begin: int, end: int) -> int:
        found, first, last = 0, self._cut(begin), self._cut(end)
        for writer, readers in self.touched[first:last]:
            found |= writer | readers
        self.begins[first:last], self.touched[first:last] = [begin], [(1 << task, 0)]
        return found

    def _cut(self, at: int) -> int:
        """Index of the piece that begins there."""
        i = bisect_left(self.begins, at)
        if i == len(self.begins) or self.begins[i] != at:
            self.begins.insert(i, at)
            self.touched.insert(i, self.touched[i - 1])
        return i


def dependencies(tasks: Sequence[Task]) -> list[set[int]]:
    """For each task, the earlier ones it must wait for (RAW, WAR, WAW), less those implied by others."""
    written = {at.buffer for task in tasks for at in task.writes()}
    frontiers = {buffer: Frontier() for buffer in written}
    before: list[int] = []  # bit sets: all that happens before
    needs: list[set[int]] = []
    for number, task in enumerate(tasks):
        found = implied = 0
        for at in _merged(task.reads()):
            if at.buffer in written:
                found |= frontiers[at.buffer].read(number, at.begin, at.end)
        for at in _merged(task.writes()):
            found |= frontiers[at.buffer].write(number, at.begin, at.end)
        found &= ~(1 << number)
        kept: set[int] = set()
        while found:
            other = found.bit_length() - 1
            kept.add(other)
            implied |= before[other] | 1 << other
            found &= ~implied
        before.append(implied)
        needs.append(kept)
    return needs


def _merged(spans) -> list[Span]:  # type: ignore[no-untyped-def]
    """Neighbouring spans as one."""
    merged: list[Span] = []
    for at in sorted(spans):
        if merged and merged[-1].buffer == at.buffer and merged[-1].end >= at.begin:
            merged[-1] = Span(at.buffer, merged[-1].begin, max(at.end, merged[-1].end))
        else:
            merged.append(at)
    return merged


def _counters(
    ops: Sequence[str], needs: Sequence[set[int]]
) -> tuple[list[tuple[tuple[int, int], ...]], list[int], int]:
    """Tasks of one operator that the same tasks wait for share a counter: its threshold is their number."""
    heard: list[list[int]] = [[] for _ in needs]
    for number, each in enumerate(needs):
        for other in each:
            heard[other].append(number)
    groups: dict[tuple[str, tuple[int, ...]], int] = {}
    signals = [groups.setdefault((op, tuple(who)), len(groups)) for op, who in zip(ops, heard, strict=True)]
    size = [0] * len(groups)
    for counter in signals:
        size[counter] += 1
    waits = [tuple((c, size[c]) for c in sorted({signals[other] for other in each})) for each in needs]
    return waits, signals, len(groups)


def _queues(sizes: Sequence[int], workers: int) -> tuple[tuple[int, ...], ...]:
    """Each operator's tasks in equal runs of neighbours, so that a worker stays in its part of the picture."""
    queues: list[list[int]] = [[] for _ in range(workers)]
    first = 0
    for count in sizes:
        for i in range(count):
            queues[i * workers // count].append(first + i)
        first += count
    return tuple(map(tuple, queues))

"""What must hold before a program is loaded.  Nothing here is shared with the builder: it is checked, not trusted."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from reverie.kernels.program import Program, Role
from reverie.kernels.tasks import Span

WRITABLE = (Role.STATE, Role.OUTPUT, Role.BACK, Role.ARENA)


class Invalid(ValueError):
    """The program must not run; the text says which rule is broken and where."""


def validate(program: Program) -> None:
    """Raises Invalid unless every legal order of the tasks gives the same result and ends.

    Rules: spans lie in their buffers and roles allow them; each counter is of one model and can be satisfied only by
    all its producers (so a threshold never races); waits are acyclic; every task is in one queue and queues are a
    linear extension of the waits (no deadlock, however many workers); all conflicting accesses are ordered (RAW, WAR,
    WAW, arena reuse); every byte read from an arena was written; models share no writable buffer.
    """
    _spans(program)
    _counters(program)
    before = _happens_before(program)
    _queues(program, before)
    accesses = _accesses(program)
    _conflicts(program, accesses, before)
    _written(program, accesses, before)


def _spans(program: Program) -> None:
    owner: dict[int, int] = {}
    for node in program.nodes:
        for spans, writes in ((node.task.reads(), False), (node.task.writes(), True)):
            for at in spans:
                if not 0 <= at.buffer < len(program.buffers):
                    raise Invalid(f"{node.op}: there is no buffer {at.buffer}")
                buffer = program.buffers[at.buffer]
                if at.begin < 0 or at.end > buffer.bytes:
                    raise Invalid(f"{node.op}: {at.begin}..{at.end} is outside {buffer.name} of {buffer.bytes} bytes")
                if writes and buffer.role not in WRITABLE:
                    raise Invalid(f"{node.op} writes {buffer.name}, which is {buffer.role.value}")
                if buffer.role in WRITABLE and owner.setdefault(at.buffer, node.model) != node.model:
                    raise Invalid(f"{node.op}: {buffer.name} is shared by two models without a slot")


def _counters(program: Program) -> None:
    producers = [0] * len(program.counters)
    for node in program.nodes:
        if not 0 <= node.signal < len(program.counters):
            raise Invalid(f"{node.op} signals counter {node.signal}, which does not exist")
        if program.counters[node.signal] != node.model:
            raise Invalid(f"{node.op} signals a counter of another model")
        producers[node.signal] += 1
    for node in program.nodes:
        for counter, threshold in node.waits:
            if not 0 <= counter < len(program.counters) or program.counters[counter] != node.model:
                raise Invalid(f"{node.op} waits for counter {counter}, which is not of its model")
            if threshold != producers[counter]:
                raise Invalid(f"{node.op} waits for {threshold} of {producers[counter]} producers of {counter}")


def _happens_before(program: Program) -> list[int]:
    """Per node, a bit set of the nodes that are done before it starts."""
    signalled: dict[int, list[int]] = defaultdict(list)
    for number, node in enumerate(program.nodes):
        signalled[node.signal].append(number)
    needs = [[p for counter, _ in node.waits for p in signalled[counter]] for node in program.nodes]
    before, left = [0] * len(needs), [len(each) for each in needs]
    heard: dict[int, list[int]] = defaultdict(list)
    for number, each in enumerate(needs):
        for other in each:
            heard[other].append(number)
    ready = [n for n, count in enumerate(left) if not count]
    done = 0
    while ready:
        number = ready.pop()
        done += 1
        for later in heard[number]:
            before[later] |= before[number] | 1 << number
            left[later] -= 1
            if not left[later]:
                ready.append(later)
    if done < len(needs):
        raise Invalid(f"{len(needs) - done} tasks wait for each other in a circle")
    return before


def _queues(program: Program, before: Sequence[int]) -> None:
    placed = sorted(n for model in program.queues for queue in model for n in queue)
    if placed != list(range(len(program.nodes))):
        raise Invalid("queues must hold every task once")
    for model, queues in enumerate(program.queues):
        for queue in queues:
            for number in queue:
                if program.nodes[number].model != model:
                    raise Invalid(f"{program.nodes[number].op} is in the queue of another model")
    _no_deadlock(program, before)


def _no_deadlock(program: Program, before: Sequence[int]) -> None:
    """Run all queues in order, each head as soon as it is ready; whatever is left would wait for ever."""
    for queues in program.queues:
        heads, done, moved = [0] * len(queues), 0, True
        while moved:
            moved = False
            for worker, queue in enumerate(queues):
                while heads[worker] < len(queue) and not before[queue[heads[worker]]] & ~done:
                    done |= 1 << queue[heads[worker]]
                    heads[worker] += 1
                    moved = True
        for worker, queue in enumerate(queues):
            if heads[worker] < len(queue):
                raise Invalid(f"the queues stop at {program.nodes[queue[heads[worker]]].op}")


def _accesses(program: Program) -> dict[int, list[tuple[int, int, int, bool]]]:
    """Per buffer that is written: (begin, end, node, is a write), sorted."""
    found: dict[int, list[tuple[int, int, int, bool]]] = defaultdict(list)
    for number, node in enumerate(program.nodes):
        for spans, wrote in ((node.task.reads(), False), (node.task.writes(), True)):
            for at in spans:
                if program.buffers[at.buffer].role in WRITABLE:
                    found[at.buffer].append((at.begin, at.end, number, wrote))
    return {buffer: sorted(each) for buffer, each in found.items()}


def _conflicts(program: Program, accesses: dict[int, list[tuple[int, int, int, bool]]], before: Sequence[int]) -> None:
    for buffer, each in accesses.items():
        for i, (_, end, one, wrote) in enumerate(each):
            for begin, _, other, too in each[i + 1 :]:
                if begin >= end:
                    break
                if one == other or not (wrote or too) or before[one] >> other & 1 or before[other] >> one & 1:
                    continue
                names = f"{program.nodes[one].op} and {program.nodes[other].op}"
                raise Invalid(f"{names} touch the same bytes of {program.buffers[buffer].name} in no order")


def _written(program: Program, accesses: dict[int, list[tuple[int, int, int, bool]]], before: Sequence[int]) -> None:
    """Every byte that is read from an arena was written before, in the same epoch."""
    for buffer, each in accesses.items():
        if program.buffers[buffer].role is not Role.ARENA:
            continue
        writes = [a for a in each if a[3]]
        for begin, end, reader, wrote in each:
            if wrote:
                continue
            at = begin
            for first, last, writer, _ in writes:
                if first <= at < last and before[reader] >> writer & 1:
                    at = last
                if at >= end or first > at:
                    break
            if at < end:
                raise Invalid(f"{program.nodes[reader].op} reads {Span(buffer, at, end)}, which nobody wrote")

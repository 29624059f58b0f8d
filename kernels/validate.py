"""What must hold before a program is loaded.  Nothing here is shared with the builder: it is checked, not trusted."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import cache, reduce
from operator import and_
from typing import NamedTuple

from reverie.kernels.program import Program, Role
from reverie.kernels.tasks import Span

WRITABLE = (Role.STATE, Role.OUTPUT, Role.BACK, Role.ARENA)

Touched = tuple[tuple[Span, ...], tuple[Span, ...]]  # what a task reads, what it writes


class Invalid(ValueError):
    """The program must not run; the text says which rule is broken and where."""


def validate(program: Program) -> None:
    """Raises Invalid unless every legal order of the tasks gives the same result and ends.

    Rules: spans lie in their buffers and roles allow them; each counter is of one model and can be satisfied only by
    all its producers (so a threshold never races); waits are acyclic; every task is in one queue and queues are a
    linear extension of the waits (no deadlock, however many workers); all conflicting accesses are ordered (RAW, WAR,
    WAW, arena reuse); every byte read from an arena was written; models share no writable buffer.
    """
    touched = [(tuple(node.task.reads()), tuple(node.task.writes())) for node in program.nodes]
    _spans(program, touched)
    _counters(program)
    before, after = _order(program)
    _queues(program, before)
    accesses = _accesses(program, touched)
    _conflicts(program, accesses, before, after)
    _written(program, accesses, before)


def _spans(program: Program, touched: Sequence[Touched]) -> None:
    owner: dict[int, int] = {}
    for node, each in zip(program.nodes, touched, strict=True):
        for writes, spans in enumerate(each):
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


def _order(program: Program) -> tuple[list[int], list[int]]:
    """Per node, a bit set of the nodes that are done before it starts, and of those that start when it is done."""
    signalled: dict[int, list[int]] = defaultdict(list)
    for number, node in enumerate(program.nodes):
        signalled[node.signal].append(number)
    needs = [[p for counter, _ in node.waits for p in signalled[counter]] for node in program.nodes]
    before, after, left = [0] * len(needs), [0] * len(needs), [len(each) for each in needs]
    heard: dict[int, list[int]] = defaultdict(list)
    for number, each in enumerate(needs):
        for other in each:
            heard[other].append(number)
    ready = [n for n, count in enumerate(left) if not count]
    done: list[int] = []
    while ready:
        number = ready.pop()
        done.append(number)
        for later in heard[number]:
            before[later] |= before[number] | 1 << number
            left[later] -= 1
            if not left[later]:
                ready.append(later)
    if len(done) < len(needs):
        raise Invalid(f"{len(needs) - len(done)} tasks wait for each other in a circle")
    for number in reversed(done):
        for earlier in needs[number]:
            after[earlier] |= after[number] | 1 << number
    return before, after


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


class Access(NamedTuple):
    """Bytes that are touched as one, by whom: bit sets of nodes."""

    begin: int
    end: int
    readers: int
    writers: int


def _accesses(program: Program, touched: Sequence[Touched]) -> dict[int, list[Access]]:
    """Per buffer that is written, in the order of where they begin."""
    found: dict[int, dict[tuple[int, int], list[int]]] = defaultdict(lambda: defaultdict(lambda: [0, 0]))
    for number, both in enumerate(touched):
        for wrote, spans in enumerate(both):
            for at in spans:
                if program.buffers[at.buffer].role in WRITABLE:
                    found[at.buffer][at.begin, at.end][wrote] |= 1 << number
    return {buffer: [Access(*at, *who) for at, who in sorted(each.items())] for buffer, each in found.items()}


def _members(nodes: int) -> Iterator[int]:
    while nodes:
        lowest = nodes & -nodes
        yield lowest.bit_length() - 1
        nodes ^= lowest


def _conflicts(
    program: Program, accesses: dict[int, list[Access]], before: Sequence[int], after: Sequence[int]
) -> None:
    ordered = [earlier | later | 1 << number for number, (earlier, later) in enumerate(zip(before, after, strict=True))]

    @cache
    def with_all(nodes: int) -> int:
        """Who is ordered with every one of them."""
        return reduce(and_, (ordered[one] for one in _members(nodes)), -1)

    for buffer, each in accesses.items():
        for i, access in enumerate(each):
            for k in range(i, len(each)):
                other = each[k]
                if other.begin >= access.end:
                    break
                for mine, theirs in ((access.writers, other.readers | other.writers), (access.readers, other.writers)):
                    if loose := mine and theirs & ~with_all(mine):
                        one = next(one for one in _members(mine) if loose & ~ordered[one])
                        two = next(_members(loose & ~ordered[one]))
                        names = f"{program.nodes[one].op} and {program.nodes[two].op}"
                        where = program.buffers[buffer].name
                        raise Invalid(f"{names} touch the same bytes of {where} in no order")


def _written(program: Program, accesses: dict[int, list[Access]], before: Sequence[int]) -> None:
    """Every byte that is read from an arena was written before, in the same epoch."""
    for buffer, each in accesses.items():
        if program.buffers[buffer].role is not Role.ARENA:
            continue
        writes = [access for access in each if access.writers]
        starts = [access.begin for access in writes]
        longest = max((access.end - access.begin for access in writes), default=0)
        for access in each:
            near = writes[bisect_left(starts, access.begin - longest) : bisect_left(starts, access.end)]
            for reader in _members(access.readers):
                at = access.begin
                for write in near:
                    if write.begin <= at < write.end and write.writers & before[reader]:
                        at = write.end
                    if at >= access.end or write.begin > at:
                        break
                if at < access.end:
                    where = Span(buffer, at, access.end)
                    raise Invalid(f"{program.nodes[reader].op} reads {where}, which nobody wrote")

"""The cycle model: engines that take instructions in order, what they must wait for, and the core's DMA bandwidth."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from reverie.kernels.neuron.nkisim.tensor import ONCHIP, Box

ENGINES = ("tensor", "vector", "scalar", "gpsimd", "dma")
QUADRANT, GRAIN = 32, 64  # partitions and bytes that hazards are kept by


class Event(NamedTuple):
    """One instruction as the cycle model placed it; nanoseconds."""

    engine: str
    name: str
    label: str  # of the kernel's scope, e.g. the model and its operator
    begin: float
    end: float
    macs: int  # useful multiplications, of TensorE


class Issued(NamedTuple):
    """One instruction of the program, with what it touches and takes."""

    engine: str
    name: str
    label: str
    ns: float
    reads: tuple[Box, ...]
    writes: tuple[Box, ...]
    latency_ns: float
    macs: int

    @property
    def model(self) -> str:
        return self.label.partition("/")[0]


class Clock:
    """Args: constants: of the cycle model, by name."""

    def __init__(self, constants: Mapping[str, float]) -> None:
        self.constants = constants
        self.hazards: dict[int, Hazards] = {}
        self.free = dict.fromkeys(ENGINES, 0.0)
        self.bus = Bus()

    def ready(self, one: Issued) -> float:
        """When all that it waits for is done."""
        tensor = one.engine == "tensor"
        return max(
            (self._hazard(b).ready(b, write, tensor) for write in (0, 1) for b in (one.reads, one.writes)[write]),
            default=0.0,
        )

    def place(self, one: Issued, ready: float | None = None) -> Event:
        """In order on its engine, after what it must wait for; DMA goes where the bus is free.

        Args: ready: what `ready` says, where it is known.
        """
        ready = self.ready(one) if ready is None else ready
        if one.engine == "dma":
            begin = self.bus.place(ready + self.constants["dma.fixed_ns"], one.ns)
        else:
            begin = max(self.free[one.engine], ready)
            self.free[one.engine] = begin + one.ns
        end = begin + one.ns
        done = end + one.latency_ns + self.constants["semaphore_ns"]
        for write in (0, 1):
            for box in (one.reads, one.writes)[write]:
                self._hazard(box).touch(box, write * (1 + (one.engine == "tensor")), done)
        return Event(one.engine, one.name, one.label, begin, end, one.macs)

    def _hazard(self, box: Box) -> Hazards:
        key = id(box.block.base)
        if key not in self.hazards:
            self.hazards[key] = Hazards(box)
        return self.hazards[key]


def merged(issued: Sequence[Issued], constants: Mapping[str, float]) -> list[int]:
    """Numbers of the same instructions in another order: each model's in their own, the next always the one that can
    begin first.  What belongs to no model comes first.

    Raises: ValueError if two models share memory that one writes: their order would matter.
    """
    apart(issued)
    clock, order = Clock(constants), []
    queues: dict[str, deque[int]] = defaultdict(deque)
    for number, one in enumerate(issued):
        if one.model:
            queues[one.model].append(number)
        else:
            order.append(number)
            clock.place(one)
    ready = {model: clock.ready(issued[queue[0]]) for model, queue in queues.items()}
    while ready:
        model = min(ready, key=lambda model: max(ready[model], clock.free[issued[queues[model][0]].engine]))
        order.append(queues[model].popleft())
        clock.place(issued[order[-1]], ready[model])
        if queues[model]:  # the other models' next ones wait for nothing of this one's
            ready[model] = clock.ready(issued[queues[model][0]])
        else:
            del ready[model]
    return order


def apart(issued: Sequence[Issued]) -> None:
    """Raises: ValueError if a model touches memory that another one writes."""
    touched: dict[int, set[str]] = defaultdict(set)  # of memory off chip: who reads or writes it
    written: dict[int, set[str]] = defaultdict(set)
    spans: dict[tuple[str, str], tuple[int, int]] = {}  # on chip, of what a model writes: first and last byte
    for one in issued:
        for write in (0, 1):
            for box in (one.reads, one.writes)[write]:
                if box.block.space not in ONCHIP:
                    (touched, written)[write][id(box.block.base)].add(one.model)
                elif write and one.model:
                    key = box.block.space, one.model
                    low, high = spans.get(key, (box.column, box.column_end))
                    spans[key] = min(low, box.column), max(high, box.column_end)
    for base, models in written.items():
        if len((models | touched[base]) - {""}) > 1:
            raise ValueError(f"models {', '.join(sorted(models | touched[base]))} share a tensor that one writes")
    for (space, model), (low, high) in spans.items():
        for (other_space, other), (begin, end) in spans.items():
            if space == other_space and model != other and low < end and begin < high:
                both = f"{max(low, begin)} to {min(high, end)} of {space}"
                raise ValueError(f"{model} and {other} both write bytes {both}")


class Hazards:
    """When each part of a memory was last written, and read."""

    def __init__(self, box: Box) -> None:
        base = box.block.base
        self.base = base  # keeps its id from being given to another
        rows, columns = (base.shape[0], base.strides[0]) if base.ndim > 1 else (1, base.nbytes)
        chip = box.block.space in ("sbuf", "psum")
        self.grain = (QUADRANT if chip else max(1, rows // 64), GRAIN if chip else max(256, columns // 4096))
        shape = (3, -(-rows // self.grain[0]), max(1, -(-columns // self.grain[1])))
        self.times = np.zeros(shape)  # of reads, writes, TensorE's writes

    def _part(self, box: Box) -> tuple[slice, slice]:
        rows, columns = self.grain
        return (
            slice(box.row // rows, (box.row_end - 1) // rows + 1),
            slice(box.column // columns, (box.column_end - 1) // columns + 1),
        )

    def ready(self, box: Box, write: int, tensor: bool) -> float:
        """A read waits for writes, a write for both; TensorE writes PSUM in its own order, not waiting for itself."""
        rows, columns = self._part(box)
        kinds = slice(0, 2 if tensor else 3) if write else slice(1, 3)
        return float(self.times[kinds, rows, columns].max())

    def touch(self, box: Box, kind: int, done: float) -> None:
        """Args: kind: 0 a read, 1 a write, 2 one by TensorE."""
        part = self.times[kind][self._part(box)]
        np.maximum(part, done, out=part)


class Bus:
    """The core's DMA bandwidth: a transfer takes the earliest time that is free, in pieces if need be."""

    def __init__(self) -> None:
        self.gaps: list[tuple[float, float]] = [(0.0, float("inf"))]

    def place(self, ready: float, ns: float) -> float:
        """When the transfer would have begun if it ran in one piece up to its end."""
        left, gaps, index = ns, self.gaps, 0
        while True:
            begin, end = gaps[index]
            at = max(begin, ready)
            if end <= at:
                index += 1
                continue
            used = min(left, end - at)
            left -= used
            gaps[index : index + 1] = [g for g in ((begin, at), (at + used, end)) if g[1] - g[0] > 1e-9]
            if left <= 1e-9:
                if len(gaps) > 64:
                    del gaps[: len(gaps) - 64]
                return at + used - ns
            index += bool(at > begin)

"""One NeuronCore of the simulator: its memories, its engines' clock, and what was issued."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from reverie.kernels.neuron.constants import values
from reverie.kernels.neuron.nkisim.tensor import Block, Box, NkiTensor, Violation, poison

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


class Machine:
    """The state of one run.

    Args:
        constants: of the cycle model and the memories, by name.
        computing: False leaves out all arithmetic: only rules and clock.
    """

    def __init__(self, constants: dict[str, float] | None = None, computing: bool = True) -> None:
        c = self.constants = constants or values()
        self.computing, self.label = computing, ""
        partitions = int(c["memory.partitions"])
        sizes = {"sbuf": int(c["memory.sbuf_bytes"]), "psum": int(c["memory.psum_bytes"])}
        self.usable = {"sbuf": int(c["memory.sbuf_usable_bytes"]), "psum": sizes["psum"]}
        self.memory = {space: np.zeros((partitions, size), np.uint8) for space, size in sizes.items()}
        self.blocks: dict[str, list[Block]] = {"sbuf": [], "psum": []}
        self.hazards: dict[int, Hazards] = {}
        self.free = dict.fromkeys(ENGINES, 0.0)
        self.bus = Bus()
        self.events: list[Event] = []
        self.peak = dict.fromkeys(sizes, 0)

    # memory

    def hbm(self, name: str, array: NDArray[Any], space: str = "shared_hbm") -> NkiTensor:
        array = np.ascontiguousarray(array)
        base = array.reshape(array.shape[0], -1) if array.ndim > 1 else array
        block = Block(space, name, base, (0, 0), 0, array.nbytes)
        return NkiTensor(block, array)

    def allocate(
        self, space: str, name: str, shape: Sequence[int], dtype: Any, address: tuple[int, int] | None
    ) -> NkiTensor:
        """A tensor on chip.  Raises: Violation if it does not fit; what lies at its address is dead from now on."""
        kind, shape = np.dtype(dtype), tuple(int(n) for n in shape)
        if len(shape) < 2 or min(shape) < 1:
            raise Violation(f"{name}: a tensor on chip has a partition and a free dimension, got {shape}")
        size = int(np.prod(shape[1:])) * kind.itemsize
        partition, begin = address if address is not None else (0, self._gap(space, size))
        if partition + shape[0] > len(self.memory[space]) or begin < 0 or begin + size > self.usable[space]:
            raise Violation(
                f"{name} needs partitions {partition} to {partition + shape[0]} and bytes {begin} to {begin + size} of "
                f"{space}, which has {len(self.memory[space])} and {self.usable[space]}"
            )
        if begin % kind.itemsize or partition % QUADRANT:
            raise Violation(f"{name} begins at partition {partition}, byte {begin}: partitions go by {QUADRANT}")
        block = Block(space, name, self.memory[space], (partition, partition + shape[0]), begin, begin + size)
        self._take(block)
        row = self.memory[space].strides[0]
        inner = np.cumprod([kind.itemsize, *shape[:0:-1]])[-2::-1]
        flat = self.memory[space][partition:, begin : begin + size].view(kind)
        array = as_strided(flat, shape, (row, *(int(s) for s in inner)))
        if self.computing:
            poison(array)
        return NkiTensor(block, array)

    def _gap(self, space: str, size: int) -> int:
        """Where `size` bytes are free in all partitions."""
        at = 0
        for begin, end in sorted((b.begin, b.end) for b in self.blocks[space]):
            if at + size <= begin:
                break
            at = max(at, -(-end // GRAIN) * GRAIN)
        return at

    def _take(self, block: Block) -> None:
        kept = []
        for other in self.blocks[block.space]:
            apart = other.end <= block.begin or block.end <= other.begin
            if apart or other.rows[1] <= block.rows[0] or block.rows[1] <= other.rows[0]:
                kept.append(other)
            else:
                other.taken_by = block.name
        self.blocks[block.space] = [*kept, block]
        self.peak[block.space] = max(self.peak[block.space], block.end)

    # clock

    def issue(
        self, engine: str, name: str, ns: float, reads: Sequence[NkiTensor], writes: Sequence[NkiTensor],
        latency_ns: float = 0.0, macs: int = 0,
    ) -> None:  # fmt: skip
        """Place an instruction: in order on its engine, after what it must wait for; DMA goes where the bus is free."""
        boxes = [t.box() for t in reads], [t.box() for t in writes]
        ready = max(
            (self._hazard(b).ready(b, write, engine == "tensor") for write in (0, 1) for b in boxes[write]), default=0.0
        )
        if engine == "dma":
            begin = self.bus.place(ready + self.constants["dma.fixed_ns"], ns)
        else:
            begin = max(self.free[engine], ready)
            self.free[engine] = begin + ns
        end = begin + ns
        self.events.append(Event(engine, name, self.label, begin, end, macs))
        done = end + latency_ns + self.constants["semaphore_ns"]
        for write in (0, 1):
            for box in boxes[write]:
                self._hazard(box).touch(box, write * (1 + (engine == "tensor")), done)

    def _hazard(self, box: Box) -> Hazards:
        key = id(box.block.base)
        if key not in self.hazards:
            self.hazards[key] = Hazards(box)
        return self.hazards[key]


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


CURRENT: list[Machine] = []


def machine() -> Machine:
    if not CURRENT:
        raise Violation("instructions run inside a kernel: call it through nki.simulate")
    return CURRENT[-1]


@contextmanager
def running(on: Machine) -> Iterator[Machine]:
    CURRENT.append(on)
    try:
        yield on
    finally:
        CURRENT.pop()

"""One NeuronCore of the simulator: its memories, and what was issued."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from reverie.kernels.neuron.constants import values
from reverie.kernels.neuron.nkisim.clock import GRAIN, QUADRANT, Clock, Event, Issued
from reverie.kernels.neuron.nkisim.tensor import Block, NkiTensor, Violation, poison


class Machine:
    """The state of one run.

    Args:
        constants: of the cycle model and the memories, by name.
        computing: False leaves out all arithmetic: only rules and clock.
        clocked: False leaves out the clock: instructions are only noted.
        core, shared: of a pair of cores: which one this is, and the tensors off chip that both have.
    """

    def __init__(
        self, constants: dict[str, float] | None = None, computing: bool = True, core: int = 0,
        shared: dict[str, NkiTensor] | None = None, clocked: bool = True,
    ) -> None:  # fmt: skip
        self.core, self.shared = core, shared
        c = self.constants = constants or values()
        self.computing, self.clocked, self.label = computing, clocked, ""
        partitions = int(c["memory.partitions"])
        sizes = {"sbuf": int(c["memory.sbuf_bytes"]), "psum": int(c["memory.psum_bytes"])}
        self.usable = {"sbuf": int(c["memory.sbuf_usable_bytes"]), "psum": sizes["psum"]}
        self.memory = {space: np.zeros((partitions, size), np.uint8) for space, size in sizes.items()}
        self.blocks: dict[str, list[Block]] = {"sbuf": [], "psum": []}
        self.clock = Clock(c)
        self.issued: list[Issued] = []
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
        size = math.prod(shape[1:]) * kind.itemsize
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

    def issue(
        self, engine: str, name: str, ns: float, reads: Sequence[NkiTensor], writes: Sequence[NkiTensor],
        latency_ns: float = 0.0, macs: int = 0,
    ) -> None:  # fmt: skip
        """Take an instruction in the order of the program."""
        boxes = tuple(t.box() for t in reads), tuple(t.box() for t in writes)
        self.issued.append(Issued(engine, name, self.label, ns, *boxes, latency_ns, macs))
        if self.clocked:
            self.events.append(self.clock.place(self.issued[-1]))


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

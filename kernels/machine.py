"""Programs on this machine: the workers, and the memory that a program runs on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import IntEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from reverie.kernels import _cpu
from reverie.kernels.program import ALIGN, Buffer, Program, Role
from reverie.kernels.tasks import RECORD_BYTES, Project
from reverie.kernels.validate import validate

U8 = NDArray[np.uint8]
MARGIN = 2 * ALIGN  # bytes that a tile may read beyond the end of a buffer
_LOST: list[object] = []  # what a worker that never ended may still write to: kept for ever


class Order(IntEnum):
    """How workers take tasks."""

    FIXED = 0  # each its own queues
    STEALING = 1  # and the others' where it would wait
    UNFUSED = 2  # one operator after the other, all workers meet in between: the baseline


def memory(size: int) -> U8:
    """Zeros, (size,), on a cache line, with room for tiles that read beyond the end."""
    whole = np.zeros(size + MARGIN + ALIGN, np.uint8)
    start = -whole.ctypes.data % ALIGN
    return whole[start : start + size + MARGIN][:size]


class Flat(NamedTuple):
    """A program's nodes and waits as kernels/cpu/machine.h has them."""

    nodes: NDArray[np.int32]  # (N, 9)
    waits: NDArray[np.int32]  # (W, 2)
    records: bytes


def flat(program: Program) -> Flat:
    """Operators are numbered in the order of their tasks, whatever their names are."""
    nodes: list[tuple[int, ...]] = []
    waits: list[tuple[int, int]] = []
    op = -1
    last: tuple[int, str] | None = None
    for node in program.nodes:
        op, last = op + ((node.model, node.op) != last), (node.model, node.op)
        task, stream = node.task, (-1, 0, 0)
        if isinstance(task, Project):
            begin, size = task.begin * task.width, (task.end - task.begin) * task.width
            stream = (task.weight.buffer, task.weight.offset + begin, size)
        nodes.append((task.opcode, node.model, op, node.signal, len(waits), len(node.waits), *stream))
        waits += node.waits
    records = b"".join(node.task.record().ljust(RECORD_BYTES, b"\0") for node in program.nodes)
    return Flat(np.array(nodes, np.int32).reshape(-1, 9), np.array(waits, np.int32).reshape(-1, 2), records)


class Loaded:
    """A validated program in the interpreter's form; shared by any number of instances."""

    def __init__(self, program: Program, checked: bool = False) -> None:
        """Args: checked: it was validated before.  Raises: validate.Invalid."""
        if not checked:
            validate(program)
        self.program, form = program, flat(program)
        ops = form.nodes[:, 2]
        self.in_order = all(list(ops[list(q)]) == sorted(ops[list(q)]) for each in program.queues for q in each)
        self.native = _cpu.load(
            form.nodes, form.waits, form.records, np.array(program.counters, np.int32),
            [[list(q) for q in each] for each in program.queues], len(program.buffers),
        )  # fmt: skip


class Instance:
    """The buffers that a program runs on: a session's, or the LLM's.  Not for two launches at once."""

    def __init__(self, loaded: Loaded, given: Mapping[str, U8]) -> None:
        """
        Args: given: bytes of constants, and of whatever buffers are shared with others; the rest is allocated.
        Raises: ValueError if a constant is missing or a size does not fit.
        """
        self.loaded = loaded
        self.native = _cpu.Instance(loaded.native)
        self.arrays: list[U8] = []
        for buffer in loaded.program.buffers:
            array = given.get(buffer.name)
            if array is None and buffer.role is Role.CONSTANT:
                raise ValueError(f"constant {buffer.name} is missing")
            self.arrays.append(memory(buffer.bytes) if array is None else _fitting(buffer, array))
        self.place()

    def __getitem__(self, name: str) -> U8:
        return self.arrays[self.loaded.program.find(name)]

    def __setitem__(self, name: str, array: U8) -> None:
        """Put another array where a buffer was; `place` makes it known.  Raises: ValueError if it does not fit."""
        index = self.loaded.program.find(name)
        self.arrays[index] = _fitting(self.loaded.program.buffers[index], array)

    def make_only(self, cells: NDArray[np.uint8] | None) -> None:
        """Make only some cells of the picture, (Y / 16, X / 16) of 0 and 1; what the others had is kept.  None: all."""
        self._cells = cells  # the native side has only its address
        self.native.mask(0 if cells is None else cells.ctypes.data, 1 if cells is None else cells.shape[1])

    def place(self) -> None:
        self.native.place([array.ctypes.data for array in self.arrays])


def _fitting(buffer: Buffer, array: U8) -> U8:
    if array.dtype != np.uint8 or not array.flags.c_contiguous:
        raise ValueError(f"{buffer.name} must be contiguous bytes, got {array.dtype} with strides {array.strides}")
    if array.nbytes < buffer.bytes:
        raise ValueError(f"{buffer.name} has {array.nbytes} bytes, {buffer.bytes} are needed")
    return array


class Pool:
    """Persistent workers.  Launches come from one thread at a time."""

    def __init__(self, workers: int, path: str = "", pin: bool = False) -> None:
        """Args: path: one of `paths()`, "" for the quickest.  Raises: ValueError if it cannot run here."""
        if path and path not in paths():
            raise ValueError(f"no path {path!r} runs on this processor; there are {', '.join(paths())}")
        self._native = _cpu.Pool(path, workers, pin)

    @property
    def path(self) -> str:
        return str(self._native.path)

    @property
    def workers(self) -> int:
        return int(self._native.workers)

    @property
    def broken(self) -> bool:
        """A task never ended: make another pool."""
        return bool(self._native.broken)

    def launch(
        self, jobs: Sequence[tuple[Instance, int]], order: Order = Order.STEALING, timeout_s: float = 10.0,
        traced: bool = False,
    ) -> float:  # fmt: skip
        """Run one epoch of each (instance, model) side by side; returns the seconds it took.

        Raises:
            RuntimeError if it did not end in time; what the instances hold is then undefined.
            ValueError if a job cannot be launched.
        """
        if order is Order.UNFUSED and not all(instance.loaded.in_order for instance, _ in jobs):
            raise ValueError("a queue does not keep the order of operators: it cannot run unfused")
        try:
            return float(self._native.launch([(i.native, m) for i, m in jobs], int(order), timeout_s, traced))
        except RuntimeError:
            if self.broken:
                _LOST.append(jobs)
            raise

    def events(self) -> list[tuple[int, int, int, int, int]]:
        """Of the last traced launch: (worker, job, node, begin, end), nanoseconds of the steady clock."""
        return list(self._native.events())


def paths() -> list[str]:
    """Names of the paths this processor can run, the quickest first."""
    return list(_cpu.paths())

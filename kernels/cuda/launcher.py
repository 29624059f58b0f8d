"""A program on a GPU: its buffers in the GPU's memory, and one cooperative launch for an epoch of some models.

It was run on an emulated driver (tests/rig/driver.cpp: the interpreter as fibres) and never on a GPU.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from reverie.kernels.cuda.compiler import THREADS
from reverie.kernels.cuda.driver import Driver
from reverie.kernels.machine import MARGIN, flat
from reverie.kernels.program import Program, Role
from reverie.kernels.tasks import BLOCK, HEAD, Attention, Conv, Project, Recollect, Task
from reverie.kernels.validate import validate

U8 = NDArray[np.uint8]
KERNEL = "reverie_megakernel"
COPIED: dict[type[Task], tuple[str, ...]] = {  # operands that come into shared memory sixteen bytes at a time
    Conv: ("x", "beside", "weight"), Attention: ("q", "sink", "old", "recent", "now", "style"), Project: ("weight",),
}  # fmt: skip
ROWS, OUTS, POSITIONS = 16, 32, 8  # of a tile, and positions of the LLM at once: kernels/cuda/dialect.h, language.h


class Launcher:
    """Not for two threads at once.  Buffers that are given as one array are one on the GPU, too."""

    def __init__(self, program: Program, given: Mapping[str, U8], image: bytes, driver: Driver) -> None:
        """
        Args: given: bytes of constants and of whatever else has contents; image: the kernel, compiled.
        Raises: validate.Invalid; ValueError if a constant is missing, a size or an address does not fit, or more blocks
            are wanted than run side by side; RuntimeError with the driver's words.
        """
        validate(program)
        aligned(program)
        self.program, self.driver = program, driver
        driver.enter()
        self._module, self._function = driver.load(image, KERNEL)
        self.blocks, most = len(program.queues[0]), driver.blocks_at_once(self._function, THREADS)
        if self.blocks > most:
            raise ValueError(f"the program has {self.blocks} queues, {driver.card.name} runs {most} blocks at once")
        self._held: list[int] = []
        self.places = self._place(given)
        form = flat(program)
        words = [form.nodes, form.waits, np.frombuffer(form.records, np.uint8)]
        self._nodes, self._waits, self._records = (self._put(np.ascontiguousarray(a)) for a in words)
        self._table = self._put(np.array(self.places, np.uint64))
        self._counters, self._abort = self._room(4 * len(program.counters)), self._room(4)
        self._epochs = np.zeros(len(program.models), np.uint32)
        self._epochs_at = self._room(self._epochs.nbytes)
        self._each = scratch(program)
        self._scratch = self._room(self._each * self.blocks * THREADS // 32)
        self._queues: dict[tuple[int, ...], tuple[int, int]] = {}

    def _room(self, size: int) -> int:
        self._held.append(self.driver.allocate(size + MARGIN))
        return self._held[-1]

    def _put(self, array: NDArray[np.generic]) -> int:
        place = self._room(array.nbytes)
        self.driver.write(place, array)
        return place

    def _place(self, given: Mapping[str, U8]) -> list[int]:
        places: list[int] = []
        known: dict[int, int] = {}
        for buffer in self.program.buffers:
            array = given.get(buffer.name)
            if array is None:
                if buffer.role is Role.CONSTANT:
                    raise ValueError(f"constant {buffer.name} is missing")
                places.append(self._room(buffer.bytes))
                continue
            if array.nbytes < buffer.bytes:
                raise ValueError(f"{buffer.name} has {array.nbytes} bytes, {buffer.bytes} are needed")
            if id(array) not in known:
                known[id(array)] = self._put(array)
            places.append(known[id(array)])
        return places

    def alias(self, owners: Sequence[int]) -> None:
        """Which buffer's memory each buffer is from now on: its own number, or another's of the same size."""
        self.driver.enter()
        self.driver.write(self._table, np.array([self.places[owner] for owner in owners], np.uint64))

    def __getitem__(self, name: str) -> U8:
        """A copy of what a buffer holds."""
        number = self.program.find(name)
        array = np.empty(self.program.buffers[number].bytes, np.uint8)
        self.driver.enter()
        self.driver.read(self.places[number], array)
        return array

    def __setitem__(self, name: str, array: U8) -> None:
        """Raises: ValueError if it has more bytes than the buffer."""
        number = self.program.find(name)
        size = self.program.buffers[number].bytes
        if array.nbytes > size:
            raise ValueError(f"{name} has {size} bytes, got {array.nbytes}")
        self.driver.enter()
        self.driver.write(self.places[number], np.ascontiguousarray(array))

    def launch(self, models: Sequence[int]) -> None:
        """One epoch of each of these models.

        Raises: RuntimeError if blocks waited too long (they start again from the first epoch), or the driver's words.
        """
        chosen = tuple(sorted(set(models)))
        if chosen not in self._queues:
            queue, starts = merged(self.program, chosen)
            self._queues[chosen] = self._put(queue), self._put(starts)
        queue_at, starts_at = self._queues[chosen]
        self.driver.enter()
        self._epochs[list(chosen)] += 1
        self.driver.write(self._epochs_at, self._epochs)
        words = (
            self._nodes, self._waits, self._records, queue_at, starts_at, self._epochs_at, self._table, self._counters,
            self._abort, self._scratch, self._each,
        )  # fmt: skip
        self.driver.launch(self._function, self.blocks, THREADS, np.array(words, np.uint64).view(np.uint8))
        gave_up = np.zeros(1, np.uint32)
        self.driver.read(self._abort, gave_up)
        if gave_up[0]:
            self._epochs[:] = 0
            self.driver.write(self._counters, np.zeros(len(self.program.counters), np.uint32))
            self.driver.write(self._abort, np.zeros(1, np.uint32))
            raise RuntimeError("blocks waited for a task that was never done: the launch was given up")

    def close(self) -> None:
        self.driver.enter()
        for place in self._held:
            self.driver.free(place)
        self._held.clear()
        self.driver.unload(self._module)


def aligned(program: Program) -> None:
    """Raises: ValueError if an operand that is copied sixteen bytes at a time does not begin at a multiple of them."""
    for node in program.nodes:
        for name in COPIED.get(type(node.task), ()):
            if (offset := getattr(node.task, name).offset) % 16:
                raise ValueError(f"{node.op}: {name} begins at byte {offset}, and the GPU copies multiples of 16")


def scratch(program: Program) -> int:
    """Bytes that the widest task needs for each warp: scores of sixteen queries, or prepared vectors of the LLM."""
    most = 256
    for task in (node.task for node in program.nodes):
        if isinstance(task, Attention):
            keys = (4 * -(-task.tokens // BLOCK) + -(-task.style_tokens // BLOCK)) * BLOCK
            most = max(most, 5 * ROWS * keys)
        elif isinstance(task, Recollect):
            rows, keys = (1 if task.count == 1 else ROWS), -(-task.context // 16) * 16
            most = max(most, 4 * rows * (HEAD + keys))
        elif isinstance(task, Project):  # of the whole block: on a GPU its warps share it, on a CPU it has one
            most = max(most, 4 * 64 + 4 * ROWS * OUTS + 6 * POSITIONS * task.width)
    return -(-most // 256) * 256


def merged(program: Program, models: Sequence[int]) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """All blocks' queues one after the other, and where each begins.

    Tasks of several models follow one order, by how much of their model is done: every block keeps to it, so that no
    two wait for each other.
    """
    share: dict[int, float] = {}
    for model in models:
        mine = [number for number, node in enumerate(program.nodes) if node.model == model]
        share |= {number: place / len(mine) for place, number in enumerate(mine)}
    queues = [
        sorted((number for model in models for number in program.queues[model][block]), key=lambda n: (share[n], n))
        for block in range(len(program.queues[0]))
    ]
    starts = np.cumsum([0, *map(len, queues)]).astype(np.int32)
    return np.array([number for queue in queues for number in queue], np.int32), starts

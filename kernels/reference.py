"""The oracle: a virtual machine in NumPy that runs a program's tasks in any legal order.

Slow on purpose.  Integer sums are exact; float32 arithmetic is one operation at a time in the order of kernels/cpu:
sixteen lanes side by side, then a tree.  The kernels must give the same bits.
"""

from __future__ import annotations

from collections.abc import Callable, MutableSequence

import numpy as np
from numpy.typing import DTypeLike, NDArray

from reverie.kernels import reference_language as language
from reverie.kernels import reference_video as video
from reverie.kernels.program import Program
from reverie.kernels.reference_lanes import Find
from reverie.kernels.tasks import Ref, Task

RUN: dict[str, Callable[[Task, Find], None]] = {**video.RUN, **language.RUN}


def run(task: Task, buffers: MutableSequence[NDArray[np.uint8]]) -> None:
    """Run one task on its buffers (bytes)."""

    def find(ref: Ref, dtype: DTypeLike, *shape: int) -> NDArray[np.generic]:
        size = int(np.prod(shape)) * np.dtype(dtype).itemsize
        return buffers[ref.buffer][ref.offset : ref.offset + size].view(dtype).reshape(shape)

    RUN[type(task).__name__](task, find)


def launch(
    program: Program, model: int, buffers: MutableSequence[NDArray[np.uint8]], rng: np.random.Generator | None = None
) -> None:
    """One epoch of a model: the first ready task each time, or any one that `rng` likes.

    Raises: RuntimeError if tasks are left that wait for ever.
    """
    counts = [0] * len(program.counters)
    left = [n for n, node in enumerate(program.nodes) if node.model == model]
    while left:
        able = (n for n in left if all(counts[c] >= t for c, t in program.nodes[n].waits))
        number = next(able, None) if rng is None else int(rng.choice(list(able) or [-1]))
        if number is None or number < 0:
            raise RuntimeError(f"{len(left)} tasks wait for ever, the first is {program.nodes[left[0]].op}")
        left.remove(number)
        run(program.nodes[number].task, buffers)
        counts[program.nodes[number].signal] += 1

"""Between a program's buffers, as a CPU has them, and the inputs and outputs of its kernel."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from reverie.kernels.neuron import layout
from reverie.kernels.neuron.emit import Kernel
from reverie.kernels.neuron.layout import Bytes
from reverie.kernels.program import Program
from reverie.kernels.tasks import BLOCK, BLOCK_BYTES, HEAD, Attention, Embed, Pick, Picture, Recollect, Task

U8 = NDArray[np.uint8]
LEVEL = 128  # of the four channels that fill up a cell


def feed(kernel: Kernel, *models: tuple[Program, Bytes]) -> dict[str, NDArray[Any]]:
    """What a launch gets, by name: the kernel's constants, and the rest from the buffers of each program."""
    given: dict[str, NDArray[Any]] = {}
    for program, get in models:
        given |= _filled(kernel, program, get)
    return {name: given[name] if array is None else array for name, array in kernel.inputs.items()}


def _filled(kernel: Kernel, program: Program, get: Bytes) -> dict[str, NDArray[Any]]:
    given: dict[str, NDArray[Any]] = {}
    tasks = [node.task for node in program.nodes]
    for task in tasks:
        if isinstance(task, Embed):
            given["token"] = get(task.tokens, np.int32, 1).reshape(1, 1)
        elif isinstance(task, Pick):
            given["position"] = get(task.position, np.int32, 1).reshape(1, 1)
        elif isinstance(task, Picture):
            given["frame"] = cells(_frame(tasks, get))
    given |= _ring(tasks, get) | _caches(tasks, get)
    for name, place in kernel.reads.items():
        if place.program is not program:
            continue
        columns = get(place.ref, np.uint8, place.pixels * place.channels).reshape(place.pixels, place.channels).T
        given[name] = (columns ^ 128).view(np.int8) if place.signed else np.ascontiguousarray(columns)
    return given


def cells(frame: U8) -> U8:
    """(Y, X, 3) as (16, Y / 2 * X / 2): a cell of 2x2 pixels is a column of (dy, dx, colour) and four of `LEVEL`."""
    y, x = frame.shape[:2]
    columns = frame.reshape(y // 2, 2, x // 2, 2, 3).transpose(1, 3, 4, 0, 2).reshape(12, -1)
    return np.concatenate([columns, np.full((4, columns.shape[1]), LEVEL, np.uint8)])


def frame(columns: U8, height: int, width: int) -> U8:
    """(12, Y / 2 * X / 2) as (Y, X, 3)."""
    parted = columns.reshape(2, 2, 3, height // 2, width // 2).transpose(3, 0, 4, 1, 2)
    return np.ascontiguousarray(parted).reshape(height, width, 3)


def _frame(tasks: list[Task], get: Bytes) -> U8:
    shown = [task for task in tasks if isinstance(task, Picture)]
    height, width = 2 * max(task.end for task in shown), shown[0].width
    return get(shown[0].source, np.uint8, height * width * 3).reshape(height, width, 3)


def _ring(tasks: list[Task], get: Bytes) -> dict[str, NDArray[Any]]:
    """Keys and values of earlier frames and of the style, block by block."""
    given: dict[str, NDArray[Any]] = {}
    blocks = {task.now: task for task in tasks if isinstance(task, Attention)}
    for i, task in enumerate(blocks.values()):
        for name, ref in (
            ("sink", task.sink), ("old", task.old), ("recent", task.recent), ("current", task.now),
            ("style", task.style),
        ):  # fmt: skip
            count = task.style_tokens if name == "style" else task.tokens
            size = task.heads * -(-count // BLOCK) * BLOCK_BYTES
            both = layout.keys_values(get(ref, np.uint8, size), task.heads, count)
            given[f"{name}_k_{i}"], given[f"{name}_v_{i}"] = both
    return given


def _caches(tasks: list[Task], get: Bytes) -> dict[str, NDArray[Any]]:
    """The LLM's keys (layers x groups, K, context) and values (layers x groups, context, K)."""
    found = [task for task in tasks if isinstance(task, Recollect)]
    if not found:
        return {}
    each = [get(t.cache, np.float32, 2 * t.context * HEAD).reshape(2, t.context, HEAD) for t in found]
    keys = np.ascontiguousarray(np.stack([cache[0].T for cache in each]))
    return {"llm_keys": keys, "llm_values": np.stack([cache[1] for cache in each])}

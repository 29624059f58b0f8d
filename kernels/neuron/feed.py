"""Between a program's buffers, as a CPU has them, and the inputs and outputs of its kernel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reverie.kernels.neuron import layout
from reverie.kernels.neuron.emit import Kernel, Place, Tall, Wanted
from reverie.kernels.neuron.layout import Bytes
from reverie.kernels.program import Program
from reverie.kernels.tasks import (
    BLOCK,
    BLOCK_BYTES,
    HEAD,
    Attention,
    Embed,
    Heads,
    Pick,
    Picture,
    Recollect,
    Task,
    Unshuffle,
)

U8 = NDArray[np.uint8]
LEVEL = 128  # of the four channels that fill up a cell


def feed(kernel: Kernel, *models: tuple[Program, Bytes], **more: NDArray[Any]) -> dict[str, NDArray[Any]]:
    """What a launch gets, by name: the kernel's constants, and the rest from the buffers of each program and `more`."""
    given: dict[str, NDArray[Any]] = dict(more)
    for program, get in models:
        given |= _filled(kernel, program, get)
    return {name: given[name] if isinstance(array, Wanted) else array for name, array in kernel.inputs.items()}


def paired(kernel: Kernel, one: dict[str, NDArray[Any]], other: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """What a pair of cores gets, of what each would get alone.  Raises: ValueError if what they share differs."""
    for name in one.keys() - kernel.each:
        if not np.array_equal(one[name], other[name]):
            raise ValueError(f"two cores of a pair share {name}, and it differs")
    return {name: np.stack([one[name], other[name]]) if name in kernel.each else one[name] for name in one}


def _filled(kernel: Kernel, program: Program, get: Bytes) -> dict[str, NDArray[Any]]:
    given: dict[str, NDArray[Any]] = {}
    tasks = [node.task for node in program.nodes]
    for task in tasks:
        if isinstance(task, Embed):
            given["token"] = get(task.tokens, np.int32, 1).reshape(1, 1)
        elif isinstance(task, (Pick, Recollect)):
            given["position"] = get(task.position, np.int32, 1).reshape(1, 1)
        elif isinstance(task, (Picture, Unshuffle)):
            given["frame"] = cells(_frame(tasks, get))
    given |= _ring(tasks, get) | _caches(tasks, get)
    for name, place in kernel.reads.items():
        if place.program is not program:
            continue
        if isinstance(place, Tall):
            vector = get(place.ref, np.float32, place.rows * place.columns)
            given[name] = np.ascontiguousarray(vector.reshape(place.columns, place.rows).T)
            continue
        columns = get(place.ref, np.uint8, place.pixels * place.channels).reshape(place.pixels, place.channels).T
        given[name] = (columns ^ 128).view(np.int8) if place.signed else np.ascontiguousarray(columns)
    return given


def take(
    kernel: Kernel, outputs: Sequence[NDArray[Any]], given: dict[str, NDArray[Any]], *models: tuple[Program, Bytes]
) -> None:  # fmt: skip
    """Put what a launch made where the programs have it: the outputs, and the caches among what was given."""
    made = dict(zip(kernel.outputs, outputs, strict=True))
    for program, get in models:
        tasks = [node.task for node in program.nodes]
        for name, place in kernel.writes.items():
            if place.program is program:
                _put(place, made[name], get)
        for i, (kv, block) in enumerate({t.kv: t for t in tasks if isinstance(t, Heads)}.items()):
            packed = get(kv, np.uint8, block.heads * -(-block.tokens // BLOCK) * BLOCK_BYTES)
            packed[:] = layout.packed(made[f"now_k_{i}"], made[f"now_v_{i}"], block.heads)
        for i, cache in enumerate(t.cache for t in tasks if isinstance(t, Recollect)):
            both = np.stack([given["llm_keys"][i].T, given["llm_values"][i]])
            get(cache, np.float32, both.size)[:] = both.reshape(-1)
        for task in tasks:
            if isinstance(task, Pick):
                get(task.token, np.int32, 1)[:] = made["next_token"][0]
                get(task.position, np.int32, 1)[:] = made["next_position"][0]
        if shown := [task for task in tasks if isinstance(task, Picture)]:
            whole = frame(made["shown"], 2 * max(task.end for task in shown), shown[0].width)
            get(shown[0].y, np.uint8, whole.size)[:] = whole.reshape(-1)


def _put(place: Place | Tall, array: NDArray[Any], get: Bytes) -> None:
    rows = array ^ -128 if isinstance(place, Place) and place.signed else array
    flat = np.ascontiguousarray(rows.T).reshape(-1)
    flat = flat.view(np.uint8) if isinstance(place, Place) else flat
    get(place.ref, flat.dtype, flat.size)[:] = flat


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
    seen = [(t.source if isinstance(t, Picture) else t.x, t) for t in tasks if isinstance(t, (Picture, Unshuffle))]
    height, width = 2 * max(task.end for _, task in seen), seen[0][1].width
    return get(seen[0][0], np.uint8, height * width * 3).reshape(height, width, 3)


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

"""The transformer blocks' part of the video model's kernel: heads, and attention over the ring of keys and values."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from reverie.kernels.neuron import layout
from reverie.kernels.neuron.emit import Map, Place, Wanted, named
from reverie.kernels.program import Role
from reverie.kernels.tasks import HEAD, Attention, Heads, Task

if TYPE_CHECKING:
    from reverie.kernels.neuron.emit_video import Video

FRAMES = ("sink", "old", "recent")
Q_STEP = 8 / 127


def heads(video: Video, op: str, task: Task) -> None:
    """Queries and keys normed and turned, values with their tokens on the partitions: int8 in HBM, outputs of a
    launch.
    """
    assert isinstance(task, Heads)
    i, width, plan = video.blocks, task.heads * HEAD, video.plan
    qkv, at = video.source(task.qkv, 3 * task.heads * HEAD, task.tokens), video.half()
    if "rope_cosine" not in plan.inputs:
        table = video.get(task.rope, np.float32, task.tokens * HEAD).reshape(task.tokens, 2, HEAD // 2)
        plan.inputs["rope_cosine"], plan.inputs["rope_sine"] = layout.rope(table)
    q, k, v = f"q_{i}", f"now_k_{i}", f"now_v_{i}"
    asked = video.program.buffers[task.q.buffer].role is Role.OUTPUT
    for name, shape, memory in (
        (q, (width, task.tokens), "shared_hbm" if asked else "private_hbm"), (k, (width, task.tokens), "shared_hbm"),
        (v, (task.tokens, width), "shared_hbm"),
    ):  # fmt: skip
        if memory == "shared_hbm":
            plan.outputs[name] = shape, "int8"
        else:
            plan.call(op, f'{name} = nl.ndarray({shape}, nl.int8, buffer=nl.{memory}, name="{name}")')
    if asked:
        plan.writes[q] = Place(video.program, task.q, width, task.tokens, signed=True)
    video.maps[task.q] = Map(q, width, task.tokens)
    size, (cosine, sine) = 4 * min(512, task.tokens), (f"{named(op)}_cosine", f"{named(op)}_sine")
    for n0 in range(0, task.tokens, 512):
        n1 = min(n0 + 512, task.tokens)
        plan.call(op, f"{cosine} = v.load(rope_cosine, 128, {n0}, {n1 - n0}, nl.float32, {at})")
        plan.call(op, f"{sine} = v.load(rope_sine, 128, {n0}, {n1 - n0}, nl.float32, {at + size})")
        for part, target in enumerate((q, k)):
            for c, p in _pairs(width):
                first, place = part * width + c, at + 2 * size + 3 * size * part
                plan.call(
                    op, f"a.turned({qkv}, {target}[{c}:{c + p}, {n0}:{n1}], {first}, {first + p}, {cosine}, {sine}, "
                    f"heads, swap, small, {n0}, {n1}, {place})",
                )  # fmt: skip
    for n0 in range(0, task.tokens, 128):
        n1 = min(n0 + 128, task.tokens)
        for c, p in _pairs(width):
            target, first = f"{v}[{n0}:{n1}, {c}:{c + p}]", 2 * width + c
            plan.call(op, f"a.values({qkv}, {target}, {first}, {first + p}, {n0}, {n1}, {at + 8 * size})")


def _pairs(width: int) -> Iterator[tuple[int, int]]:
    """Two heads at a time: first channel and channels."""
    for c in range(0, width, 128):
        yield c, min(128, width - c)


def attention(video: Video, op: str, task: Task) -> None:
    """A head at a time: its keys and values of all frames come on chip, then queries pass in groups of at most 512."""
    assert isinstance(task, Attention)
    i, plan = video.blocks, video.plan
    video.blocks += 1
    q = video.source(task.q, task.heads * HEAD, task.tokens, signed=True)
    y = video.output(op, task.y, task.heads * HEAD, task.tokens)
    now = "now" if f"now_k_{i}" in plan.outputs else "current"  # made by this kernel, or given
    frames = [((now if video.first else name), task.tokens, 1) for name in FRAMES]  # name, keys, earlier
    frames += [(now, task.tokens, 0), ("style", task.style_tokens, 0)]
    for name, count, _ in frames:
        if name != "now":
            width = task.heads * HEAD
            plan.inputs[f"{name}_k_{i}"] = Wanted((width, count), "int8")
            plan.inputs[f"{name}_v_{i}"] = Wanted((count, width), "int8")
    plan.inputs[f"past_{i}"] = layout.past_matrix(task, video.get)
    tiles, biased = -(-task.tokens // 512), tuple(earlier for _, _, earlier in frames)
    each = -(-task.tokens // tiles)
    for head in range(task.heads):
        past, keys, values, place = _held(video, op, i, head, task.heads, frames)
        for t, n0 in enumerate(range(0, task.tokens, each)):
            n1 = min(n0 + each, task.tokens)
            plan.call(
                op, f"a.attend({q}, ({', '.join(keys)},), ({', '.join(values)},), {biased}, {y}, {past}, {head}, {n0}, "
                f"{n1}, {task.scale}, {Q_STEP}, {place + 12_288 * (t % 2)}, {tiles * head + t})",
            )  # fmt: skip


def _held(
    video: Video, op: str, i: int, head: int, heads: int, frames: Sequence[tuple[str, int, int]]
) -> tuple[str, list[str], list[str], int]:
    """Variables with a head's bias, keys and values of each frame, and the address behind them."""
    place, past = video.half(), f"past_{i}_{head}"
    keys: list[str] = []
    values: list[str] = []
    video.plan.call(op, f"{past} = v.load(past_{i}, 64, 0, {heads}, nl.bfloat16, {place})")
    place += 64
    for f, (name, count, earlier) in enumerate(frames):
        keys.append(f"k_{i}_{head}_{f}")
        text = f"{keys[-1]} = a.head_keys({name}_k_{i}, {head}, {count}, {earlier}, {place})"
        video.plan.call(op, text)
        place += -(-2 * count // 64) * 64
        values.append(f"h_{i}_{head}_{f}")
        video.plan.call(op, f"{values[-1]} = a.head_values({name}_v_{i}, {head}, {count}, {place})")
        place += -(-2 * 65 * -(-count // 128) // 64) * 64
    return past, keys, values, place

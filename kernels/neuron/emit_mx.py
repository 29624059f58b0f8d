"""Linear layers in MXFP8: which convolutions can be, how their weights lie, and their part of the video model's
kernel.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from reverie.kernels.neuron import layout
from reverie.kernels.neuron.emit import HALF, named
from reverie.kernels.neuron.layout import Bytes
from reverie.kernels.neuron.nkisim import mx
from reverie.kernels.reference_lanes import unpacked
from reverie.kernels.tasks import Conv

if TYPE_CHECKING:
    from reverie.kernels.neuron.emit_video import Video

EACH = 512  # pixels of a strip


def fits(task: Conv) -> bool:
    """1x1, its channels a multiple of 128 (32 partitions of four), nothing beside and no pixel shuffle."""
    return task.kernel == 1 and task.channels % 128 == 0 and task.beside.buffer < 0 and not task.shuffle


def passes(channels: int) -> list[int]:
    """Channels that each pass contracts."""
    left, sizes = channels, []
    for size in (512, 256, 128):
        while left >= size:
            sizes.append(size)
            left -= size
    return sizes


def weights(task: Conv, get: Bytes) -> tuple[NDArray[Any], NDArray[np.uint8]]:
    """Packed weights (128, passes * outs) and their scales, in the order of tiles_mx.py."""
    whole = unpacked(get(task.weight, np.int8, task.outs * task.depth()), task.outs).astype(np.float32)
    sizes, first = passes(task.channels), 0
    made = np.zeros((128, len(sizes) * task.outs), mx.E4M3_X4)
    scales = np.zeros(made.shape, np.uint8)
    for i, size in enumerate(sizes):
        p, columns = size // 4, slice(i * task.outs, (i + 1) * task.outs)
        part = whole[:, first : first + size].reshape(task.outs, 4, p).transpose(2, 0, 1)  # (P, O, 4)
        data, found = mx.quantize(np.ascontiguousarray(part).reshape(p, -1), mx.E4M3)
        made["x4"][:p, columns] = data
        scales[mx.scale_rows(p), columns] = found
        first += size
    return made, scales


def conv(video: Video, op: str, task: Conv, names: tuple[str, str, str]) -> None:
    """Args: names: of the input, of the residual or None, of the output."""
    x, skip, y = names
    packed, scales = weights(task, video.get)
    at, name = video.half(), named(op)
    end = at + HALF
    video.plan.inputs |= {f"{name}_mx": packed, f"{name}_scales": scales}
    width = packed.shape[1]
    video.plan.call(op, f"{name}_w = v.load({name}_mx, 128, 0, {width}, nl.float8_e4m3fn_x4, {at})")
    video.plan.call(op, f"{name}_s = v.load({name}_scales, 128, 0, {width}, nl.uint8, {at + 4 * width})")
    numbers, behind = layout.conv_vectors(task, video.get, less_zero=True), at + 64 * -(-5 * width // 64)
    vectors, place = video.fetch(op, 1, numbers, behind)
    scratch, place = place, place + 4 * 4096
    count, m = layout.parts(task)
    sizes = tuple(passes(task.channels))
    reads = (8 + 5 * len(sizes)) * EACH
    if place + 2 * reads + 4 * 3 * EACH > end:
        raise ValueError(f"{op}: {width} columns of weights leave no room for {EACH} pixels")
    pixels = task.height * task.width
    for i, n0 in enumerate(range(0, pixels, EACH)):
        n1, here = min(n0 + EACH, pixels), place + reads * (i % 2)
        video.plan.call(op, f"{name}_x = q.quantised({x}, {sizes}, {float(task.x_zero)}, {n0}, {n1}, {here})")
        for c in range(count):
            made = place + 2 * reads + 3 * EACH * (video.banks % 4)
            video.plan.call(
                op, f"q.linear({name}_x, {name}_w, {name}_s, {vectors}, {skip}, {y}, {task.outs}, {c}, {m}, "
                f"{task.activation}, {n0}, {n1}, {made}, {scratch}, {video.banks})",
            )  # fmt: skip
            video.banks += 1

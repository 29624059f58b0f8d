"""The video model's part of a kernel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reverie.kernels.neuron import emit_attention, emit_mx, layout
from reverie.kernels.neuron.emit import HALF, VIDEO_AT, Map, Place, Plan, Wanted, named, operators
from reverie.kernels.neuron.layout import Bytes, chunk
from reverie.kernels.program import Program, Role
from reverie.kernels.tasks import Conv, Modulate, Picture, Ref, Task, Unshuffle
from reverie.kernels.validate import validate

SCRATCH = 4 * 4096  # bytes of an operator's epilogue


def all_rows(tasks: Sequence[Task]) -> int:
    """All rows that an operator's tasks make between them."""
    return max(int(getattr(task, "end")) for task in tasks)  # noqa: B009


class Video:
    """Emits the calls of one picture size.

    Args:
        get: what lies at a place of the program's buffers.
        first: the first frame of a stream: attention sees it in the place of all earlier ones.
        pack: whether taps of narrow convolutions share a pass (im2col); else each tap is a shifted matmul.
        mx: whether linear layers are MXFP8; else everything is bfloat16.
    """

    def __init__(
        self, program: Program, model: int, get: Bytes, first: bool = False, pack: bool = True, mx: bool = False
    ) -> None:
        self.program, self.model, self.get, self.first, self.pack, self.mx = program, model, get, first, pack, mx
        self.plan = Plan(program.models[model])
        self.maps: dict[Ref, Map] = {}
        self.weights: list[NDArray[Any]] = []
        self.vectors: list[NDArray[np.float32]] = []
        self.columns = [0, 0]
        self.turn = self.banks = self.blocks = 0

    def build(self) -> Plan:
        """Raises: validate.Invalid."""
        validate(self.program)
        self.plan.inputs["fixed"] = layout.fixed()
        for op, tasks in operators(self.program, self.model):
            getattr(self, type(tasks[0]).__name__.lower())(op, tasks)
        for name, arrays in (("video_weights", self.weights), ("video_vectors", self.vectors)):
            if arrays:
                self.plan.inputs[name] = np.concatenate(arrays, 1)
        return self.plan

    # bookkeeping

    def half(self) -> int:
        """Where the next operator's region begins."""
        self.turn += 1
        return VIDEO_AT + HALF * (self.turn % 2)

    def put(self, which: int, array: NDArray[Any]) -> tuple[int, int]:
        """First column and columns of an array in the weights (0) or the vectors (1)."""
        (self.weights, self.vectors)[which].append(array)
        first, width = self.columns[which], array.shape[1]
        self.columns[which] += width
        return first, width

    def fetch(self, op: str, which: int, array: NDArray[Any], at: int) -> tuple[str, int]:
        """A variable that holds an array on chip, and the address behind it."""
        first, width = self.put(which, array)
        source, kind, size = (("video_weights", "nl.bfloat16", 2), ("video_vectors", "nl.float32", 4))[which]
        name = f"{named(op)}_{'wv'[which]}"
        self.plan.call(op, f"{name} = v.load({source}, 128, {first}, {width}, {kind}, {at})")
        return name, at + -(-size * width // 64) * 64

    def output(self, op: str, ref: Ref, channels: int, pixels: int) -> str:
        """A new map for what a task writes."""
        role = self.program.buffers[ref.buffer].role
        shared = role is Role.OUTPUT
        name = "shown" if shared else f"m_{named(op)}"
        self.maps[ref] = Map(name, channels, pixels)
        if not shared:
            kind = f'nl.ndarray(({channels}, {pixels}), nl.uint8, buffer=nl.private_hbm, name="{name}")'
            self.plan.call(op, f"{name} = {kind}")
        else:
            self.plan.outputs[name] = (channels, pixels), "uint8"
            self.plan.writes[name] = Place(self.program, ref, channels, pixels)
        return name

    def source(self, ref: Ref, channels: int, pixels: int, signed: bool = False) -> str:
        """The map at a place: one that an operator made, or an input.  Raises: ValueError if it has no contents yet."""
        if ref in self.maps:
            return self.maps[ref].name
        buffer = self.program.buffers[ref.buffer]
        if buffer.role in (Role.ARENA, Role.OUTPUT):
            raise ValueError(f"{buffer.name} at {ref.offset} is read before it is written")
        name = f"{named(buffer.name)}_{ref.offset}" if ref.offset else named(buffer.name)
        self.plan.inputs[name] = Wanted((channels, pixels), "int8" if signed else "uint8")
        self.plan.reads[name] = Place(self.program, ref, channels, pixels, signed)
        return name

    # operators

    def unshuffle(self, op: str, tasks: Sequence[Task]) -> None:
        """Nothing, or a copy: whoever launches gives the picture channel-major, (16, pixels)."""
        task = tasks[0]
        assert isinstance(task, Unshuffle)
        pixels = task.width // 2 * all_rows(tasks)
        self.plan.inputs["frame"] = Wanted((16, pixels), "uint8")
        self.maps[task.y] = Map("frame", 16, pixels)
        if self.program.buffers[task.y.buffer].role is Role.OUTPUT:
            self.plan.call(op, f"nisa.dma_copy({self.output(op, task.y, 16, pixels)}, frame)")

    def conv(self, op: str, tasks: Sequence[Task]) -> None:
        task = tasks[0]
        assert isinstance(task, Conv)
        rows, columns = task.height // (2 if task.kernel == 2 else 1), task.columns()
        wide = 2 if task.shuffle else 1
        pixels, outs, made = task.height * task.width, task.outs // wide**2, rows * columns * wide**2
        x, skip, beside = self.source(task.x, task.channels, pixels), "None", "None"
        if task.residual.buffer >= 0:
            skip = self.source(task.residual, outs, made)
        if task.beside.buffer >= 0:
            beside = self.source(task.beside, task.beside_channels, pixels)
        y = self.output(op, task.y, outs, made)
        if self.mx and emit_mx.fits(task):
            return emit_mx.conv(self, op, task, (x, skip, y))
        at = self.half()
        end = at + HALF
        weights, place = self.fetch(op, 0, layout.conv_weights(task, self.get, self.pack), at)
        vectors, place = self.fetch(op, 1, layout.conv_vectors(task, self.get), place)
        scratch, place = place, place + SCRATCH
        self.rows(op, task, (x, beside, skip, y, weights, vectors), rows, (place, end), scratch)

    def rows(
        self, op: str, task: Conv, names: tuple[str, ...], rows: int, span: tuple[int, int], scratch: int
    ) -> None:  # fmt: skip
        """Strips of rows, as many at once as fit in half of what is left; each is read while the one before is
        multiplied.
        """
        x, beside, skip, y, weights, vectors = names
        wide, columns, taps = 2 if task.shuffle else 1, task.columns(), layout.taps(task, self.pack)
        region = (span[1] - span[0]) // 2 // 64 * 64
        each = max((r for r in range(1, rows + 1) if sum(self.need(task, r)) <= region), default=0)
        if not each:
            raise ValueError(f"{op}: a row of {columns} needs {sum(self.need(task, 1))} bytes, {region} are left")
        sizes = (
            task.height, task.width, task.channels, chunk(task.channels), task.beside_channels,
            chunk(task.beside_channels or 32), task.kernel, task.outs // wide**2, layout.parts(task)[1], wide, taps,
            float(task.x_zero),
        )  # fmt: skip
        spans = [(r0, min(r0 + each, rows), span[0] + region * (i % 2)) for i, r0 in enumerate(range(0, rows, each))]
        reads = [
            f"{named(op)}_{i} = v.strips({x}, {beside}, {skip}, {', '.join(map(str, (*sizes, *s)))})"
            for i, s in enumerate(spans)
        ]
        self.plan.call(op, reads[0])
        for i, (r0, r1, at) in enumerate(spans):
            if i + 1 < len(reads):
                self.plan.call(op, reads[i + 1])
            behind = at + -(-self.need(task, r1 - r0)[0] // 64) * 64
            self.strip(op, task, f"{named(op)}_{i}", (y, weights, vectors), (r0, r1), behind, scratch)

    def strip(
        self, op: str, task: Conv, read: str, names: tuple[str, str, str], span: tuple[int, int], at: int, scratch: int
    ) -> None:  # fmt: skip
        """A strip that was read: multiplied, then what was made goes out."""
        y, weights, vectors = names
        wide, columns, (groups, size) = 2 if task.shuffle else 1, task.columns(), layout.parts(task)
        rows = span[1] - span[0]
        each = next(n for n in range(min(columns, 512), 0, -1) if columns % n == 0)
        lines = max(1, min(rows, 512 // each))
        for c in range(groups // wide**2):
            made = f"{read}_{c}"
            self.plan.call(op, f"{made} = v.room({size}, {wide * rows}, {wide * columns}, {at})")
            at += -(-(wide**2) * rows * columns // 64) * 64
            numbers = (
                columns, each, lines, task.kernel, task.outs, c, wide, task.activation, layout.taps(task, self.pack),
                rows, scratch, self.banks,
            )  # fmt: skip
            self.plan.call(op, f"v.conv({read}, {made}, {weights}, {vectors}, {', '.join(map(str, numbers))})")
            self.banks += wide**2 * -(-rows // lines) * (columns // each)
            self.plan.call(op, f"v.store({y}, {made}, {size * c}, {wide**2 * span[0] * columns})")

    def need(self, task: Conv, rows: int) -> tuple[int, int]:
        """Bytes a partition of a strip: what it reads and what it makes, as tiles.strips and tiles.conv lay them."""
        step, wide, columns = 2 if task.kernel == 2 else 1, 2 if task.shuffle else 1, task.columns()
        count = task.channels // chunk(task.channels)
        if each := layout.taps(task, self.pack):
            size = -(-9 // each) * 2 * rows * task.width
        elif task.kernel == 3:
            size = count * 2 * (rows + 2) * (task.width + 2)
        else:
            size = count * 2 * step * rows * task.width
        if task.beside_channels:
            size += task.beside_channels // chunk(task.beside_channels) * 2 * rows * task.width
        made, groups = wide * wide * rows * columns, layout.parts(task)[0] // wide**2
        if task.residual.buffer >= 0:
            size += 2 * made * groups
        return size, groups * (made + 63) // 64 * 64 + 64 * (groups + 1)

    def modulate(self, op: str, tasks: Sequence[Task]) -> None:
        task = tasks[0]
        assert isinstance(task, Modulate)
        tokens, size = all_rows(tasks), chunk(task.width)
        x = self.source(task.x, task.width, tokens)
        y, at = self.output(op, task.y, task.width, tokens), self.half()
        vectors, place = self.fetch(op, 1, layout.modulate_vectors(task, self.get), at)
        for n0 in range(0, tokens, 512):
            n1 = min(n0 + 512, tokens)
            self.plan.call(
                op, f"a.modulate({x}, {y}, {vectors}, ones, {tokens}, {task.width}, {size}, {float(task.x_zero)}, "
                f"{task.y_zero}, epsilon, {n0}, {n1}, {place})",
            )  # fmt: skip

    def heads(self, op: str, tasks: Sequence[Task]) -> None:
        emit_attention.heads(self, op, tasks[0])

    def attention(self, op: str, tasks: Sequence[Task]) -> None:
        emit_attention.attention(self, op, tasks[0])

    def picture(self, op: str, tasks: Sequence[Task]) -> None:
        task = tasks[0]
        assert isinstance(task, Picture)
        pixels = task.width // 2 * all_rows(tasks)
        self.plan.inputs["frame"] = Wanted((16, pixels), "uint8")
        source, residual = "frame", self.source(task.residual, 16, pixels)
        y, at = self.output(op, task.y, 12, pixels), self.half()
        self.plan.writes.pop(y, None)  # cells of pixels, not a map: see feed.py
        vectors, place = self.fetch(op, 1, layout.picture_vectors(task, self.get), at)
        self.plan.inputs["colour"] = layout.picture_matrix(task, self.get)
        self.plan.call(op, f"matrix = v.load(colour, 96, 0, 96, nl.float32, {place})")
        span = pixels // 8
        for i, n0 in enumerate(range(0, span, 512)):
            n1 = min(n0 + 512, span)
            self.plan.call(
                op, f"v.picture({source}, {residual}, {y}, {vectors}[0:96, :], matrix, {span}, {n0}, {n1}, "
                f"{place + 384 + 6144 * (i % 4)})",
            )  # fmt: skip

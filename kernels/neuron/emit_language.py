"""The LLM's part of a kernel: one decoded token, its weights streamed from HBM."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reverie.kernels.neuron import layout
from reverie.kernels.neuron.emit import END, LANGUAGE_AT, Plan, Tall, Wanted, named, operators
from reverie.kernels.neuron.layout import Bytes, chunk
from reverie.kernels.program import Program, Role
from reverie.kernels.reference_lanes import unpacked
from reverie.kernels.tasks import HEAD, Embed, Norm, Pick, Project, Recollect, Ref, Task
from reverie.kernels.validate import validate

STREAM, STREAMS = 8192, 3  # bytes a partition of one transfer of weights, and how many are under way
GROUPS = 3  # of heads: their sums lie side by side in a bank of PSUM
WORK = 5120  # bytes of temporaries
F = np.float32
ONE = Wanted((1, 1), "int32")


class Language:
    """Emits the calls of one epoch of `decode`.

    Args:
        likeliest: how many of the likeliest tokens the next one is drawn from, at most 8; 0: it is the likeliest.
            The launch then wants `gumbel`, noise for each token in the layout of a Tall of the vocabulary.
        temperature: of the logits that are drawn from.
    """

    def __init__(
        self, program: Program, model: int, get: Bytes, likeliest: int = 0, temperature: float = 1.0
    ) -> None:  # fmt: skip
        if not 0 <= likeliest <= 8:
            raise ValueError(f"a token is drawn from at most 8, got {likeliest}")
        self.program, self.model, self.get = program, model, get
        self.likeliest, self.temperature = likeliest, temperature
        self.plan = Plan(program.models[model])
        self.names: dict[Ref, tuple[str, int]] = {}  # vectors on chip: variable and partitions
        self.weights: list[NDArray[Any]] = []
        self.vectors: list[NDArray[np.float32]] = []
        self.column = self.width = self.slot = self.caches = 0
        self.work = LANGUAGE_AT + STREAM * STREAMS
        self.hidden, self.small = self.work + WORK, self.work + WORK + 2048
        self.at = self.small

    def build(self) -> Plan:
        """Raises: validate.Invalid."""
        validate(self.program)
        ops = list(operators(self.program, self.model))
        self.tasks = [tasks[0] for _, tasks in ops]
        self.plan.inputs["fixed"] = layout.fixed()
        for number, (op, tasks) in enumerate(ops):
            getattr(self, type(tasks[0]).__name__.lower())(op, tasks, number)
        for name, arrays in (("llm_weights", self.weights), ("llm_vectors", self.vectors)):
            if arrays:
                self.plan.inputs[name] = np.concatenate(arrays, 1)
        return self.plan

    # bookkeeping

    def place(self, size: int) -> int:
        """Bytes for a small vector; two layers' worth are kept before they are written over."""
        size = -(-size // 64) * 64
        if self.at + size > END:
            self.at = self.small
        self.at += size
        return self.at - size

    def tile(self, op: str, what: str, rows: int, columns: int, kind: str = "float32", more: str = "") -> str:
        name = f"w_{named(op)}_{what}"
        size = columns * (4 if kind == "float32" else 2) * (2 if more else 1)
        self.plan.call(
            op, f"{name} = nl.ndarray(({rows}, {columns}{more}), nl.{kind}, buffer=nl.sbuf, "
            f'name="{name}", address=(0, {self.place(size)}))',
        )  # fmt: skip
        return name

    def fetch(self, op: str, what: str, array: NDArray[np.float32], rows: int) -> str:
        name, width = f"w_{named(op)}_{what}", array.shape[1]
        self.vectors.append(array)
        text = f"{name} = v.load(llm_vectors, {rows}, {self.width}, {width}, nl.float32, {self.place(4 * width)})"
        self.plan.call(op, text)
        self.width += width
        return name

    def partitions(self, ref: Ref, width: int, number: int) -> int:
        """How a vector lies for who reads it next: by heads for attention, in the largest chunks else."""
        for task in self.tasks[number + 1 :]:
            if isinstance(task, Recollect) and task.qkv == ref:
                return HEAD
            if isinstance(task, Project) and task.x == ref:
                return chunk(width // 2 if task.gated else width)
        return chunk(width)

    def vector(self, op: str, ref: Ref, rows: int, size: int) -> tuple[str, int]:
        """A vector on chip, and its partitions: one that an operator made, or one that is read from HBM.

        Raises: ValueError if nothing was written there.
        """
        if ref in self.names:
            return self.names[ref]
        buffer = self.program.buffers[ref.buffer]
        if buffer.role in (Role.ARENA, Role.OUTPUT):
            raise ValueError(f"{buffer.name} at {ref.offset} is read before it is written")
        given, name = f"{named(buffer.name)}_{ref.offset}", f"w_{named(op)}_{named(buffer.name)}"
        self.plan.inputs[given] = Wanted((rows, size // rows), "float32")
        self.plan.reads[given] = Tall(self.program, ref, rows, size // rows)
        place = self.place(4 * size // rows)
        self.plan.call(op, f"{name} = v.load({given}, {rows}, 0, {size // rows}, nl.float32, {place})")
        self.names[ref] = name, rows
        return self.names[ref]

    def kept(self, op: str, ref: Ref, name: str, rows: int, size: int) -> None:
        """A vector that an operator made; what a launch is asked for goes out."""
        self.names[ref] = name, rows
        if self.program.buffers[ref.buffer].role is Role.OUTPUT:
            shown = f"{named(op)}_shown"
            self.plan.outputs[shown] = (rows, size // rows), "float32"
            self.plan.call(op, f"nisa.dma_copy({shown}, {name})")
            self.plan.writes[shown] = Tall(self.program, ref, rows, size // rows)

    # operators

    def embed(self, op: str, tasks: Sequence[Task], number: int) -> None:
        task = tasks[0]
        assert isinstance(task, Embed)
        if task.count != 1:
            raise ValueError(f"{op}: only decoding is emitted, one position and RMS norms")
        self.plan.inputs["token"] = ONE
        rows = chunk(task.width)
        table = unpacked(self.get(task.weight, np.int8, task.vocabulary * task.width), task.vocabulary)
        self.plan.inputs["llm_table"] = table.astype(layout.BF16)
        self.plan.inputs["llm_steps"] = self.get(task.scale, F, task.vocabulary).reshape(-1, 1)
        x = self.tile(op, "x", rows, task.width // rows)
        self.plan.call(op, f"w.embed(llm_table, llm_steps, token, {x}, {task.width}, {self.work})")
        self.kept(op, task.y, x, rows, task.width)

    def project(self, op: str, tasks: Sequence[Task], number: int) -> None:
        task = tasks[0]
        assert isinstance(task, Project)
        if task.count != 1 or task.norm == Norm.LAYER:
            raise ValueError(f"{op}: only decoding is emitted, one position and RMS norms")
        x, rows = self.vector(op, task.x, chunk(task.width), task.width * (1 + task.gated))
        width = task.width // rows
        if task.norm == Norm.RMS:
            gain = self.fetch(op, "gain", layout.tall(self.get(task.gain, F, task.width), rows), rows)
            y = self.tile(op, "normed", rows, width)
            self.plan.call(op, f"w.normed({x}, {y}, {gain}, ones, epsilon, {self.work})")
            x = y
        if task.gated:
            y = self.tile(op, "gated", rows, width)
            self.plan.call(op, f"w.gated({x}, {y})")
            x = y
        halves = self.tile(op, "halves", rows, width, "bfloat16", ", 2")
        self.plan.call(op, f"w.split({x}, {halves}, {self.work})")
        self.multiply(op, task, halves, rows, number)

    def multiply(self, op: str, task: Project, x: str, rows: int, number: int) -> None:
        """The streaming part: a few tiles of outs a transfer."""
        columns = self.partitions(task.y, task.outs, number)
        count, block = task.outs // columns, task.width // rows * columns
        whole = unpacked(self.get(task.weight, np.int8, task.outs * task.width), task.outs)
        self.weights.append(layout.matrix(whole, rows, columns))
        scale = self.fetch(op, "scale", layout.tall(self.get(task.scale, F, task.outs), columns), columns)
        y = self.tile(op, "y", columns, count)
        residual = "None"
        if task.residual.buffer >= 0:
            residual, _ = self.vector(op, task.residual, columns, task.outs)
        each, waiting = max(1, STREAM // (2 * block)), ""
        for tile in range(0, count, each):
            tiles = min(each, count - tile)
            acc = f"{y}_{tile}"
            self.plan.call(
                op, f"{acc} = w.products({x}, llm_weights, {self.column}, {columns}, {tile}, "
                f"{tiles}, {LANGUAGE_AT + STREAM * (self.slot % STREAMS)}, {self.slot})",
            )  # fmt: skip
            if waiting:  # one behind: VectorE does not stand and wait for TensorE
                self.plan.call(op, waiting)
            waiting = f"w.finished({acc}, {y}, {scale}, {residual}, {tile}, {self.work + 256 * (self.slot % 4)})"
            self.slot += 1
        self.plan.call(op, waiting)
        self.column += count * block
        self.kept(op, task.y, y, columns, task.outs)

    def recollect(self, op: str, tasks: Sequence[Task], number: int) -> None:
        task = tasks[0]
        assert isinstance(task, Recollect)
        if task.count != 1:
            raise ValueError(f"{op}: only decoding is emitted, one position and RMS norms")
        self.plan.inputs["position"] = ONE
        qkv, _ = self.vector(op, task.qkv, HEAD, HEAD * (task.heads + 2 * task.groups))
        if "llm_cosine" not in self.plan.inputs:
            table = self.get(task.rope, F, task.context * HEAD).reshape(task.context, 2, HEAD // 2)
            self.plan.inputs["llm_cosine"], self.plan.inputs["llm_sine"] = layout.rope(table)
            groups = sum(task.groups for task in self.tasks if isinstance(task, Recollect))
            self.plan.inputs["llm_keys"] = Wanted((groups, HEAD, task.context), "float32")
            self.plan.inputs["llm_values"] = Wanted((groups, task.context, HEAD), "float32")
            self.plan.call(op, "here = nisa.register_alloc(0)")
            self.plan.call(op, "nisa.register_load(here, position)")
            self.plan.call(
                op, f"hidden = nl.ndarray((128, {task.context}), nl.float32, buffer=nl.sbuf, "
                f'name="hidden", address=(0, {self.hidden}))',
            )  # fmt: skip
            self.plan.call(op, f"w.hide(hidden, position, 128, {task.context}, {self.work})")
        both, each = task.heads + task.groups, task.heads // task.groups
        if task.groups > GROUPS or each > 32:
            raise ValueError(f"{op}: at most {GROUPS} groups of 32 heads are emitted, got {task.groups} of {each}")
        turned = self.tile(op, "turned", HEAD, both)
        seen = self.tile(op, "seen", HEAD, task.heads)
        self.plan.call(
            op, f"w.turn({qkv}, {turned}, llm_cosine, llm_sine, here, swap, {both}, {task.context}, {self.work})"
        )
        place = ", ".join(str(LANGUAGE_AT + STREAM * ((self.slot + n) % STREAMS)) for n in range(2))
        behind = self.work + WORK // 2
        self.slot += 2
        first, g, end = self.caches, task.groups, f"{task.groups}, {each}, {task.context}"
        caches, kept = "llm_keys, llm_values", named(op)
        self.caches += g
        for text in (
            f"cached_{kept}, held_{kept} = w.remember({caches}, {first}, {g}, {task.context}, {place})",
            f"shares_{kept} = w.weighed({turned}, cached_{kept}, hidden, {end}, {self.work})",
            f"w.recollect(shares_{kept}, held_{kept}, {qkv}, {seen}, ones, {end}, {behind})",
            f"w.keep({turned}, {qkv}, {caches}, here, {first}, {end})",
        ):  # fmt: skip
            self.plan.call(op, text)
        self.kept(op, task.y, seen, HEAD, HEAD * task.heads)

    def pick(self, op: str, tasks: Sequence[Task], number: int) -> None:
        task = tasks[0]
        assert isinstance(task, Pick)
        self.plan.inputs["position"] = ONE
        logits, rows = self.vector(op, task.logits, chunk(task.vocabulary), task.vocabulary)
        if task.vocabulary < 8 * rows:
            raise ValueError(f"{op}: at least {8 * rows} tokens are searched, got {task.vocabulary}")
        if self.likeliest:
            columns = task.vocabulary // rows
            self.plan.inputs["gumbel"] = Wanted((rows, columns), "float32")
            noise = f"w_{named(op)}_noise"
            place = self.place(4 * columns)
            self.plan.call(op, f"{noise} = v.load(gumbel, {rows}, 0, {columns}, nl.float32, {place})")
            drawn, numbers = self.tile(op, "drawn", rows, columns), f"{self.temperature}, {self.likeliest}"
            self.plan.call(op, f"w.sampled({logits}, {noise}, {numbers}, ones, {drawn}, {self.work})")
            logits = drawn
        self.plan.call(op, f"w.pick({logits}, next_token, position, next_position, {self.work})")
        self.plan.outputs |= dict.fromkeys(("next_token", "next_position"), ((1, 1), "int32"))

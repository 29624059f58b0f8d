"""Small programs for the neuron backend: `nano` with its shipped weights, and a random LLM of two layers."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from reverie.kernels.machine import memory
from reverie.kernels.neuron.emit import Kernel
from reverie.kernels.program import Program
from reverie.kernels.tasks import Ref
from reverie.models import checkpoint, llm_lowering, weights
from reverie.models.checkpoint import Shape
from reverie.models.config import NANO
from reverie.models.lowering import Lowering
from reverie.models.nano_kernel import noise
from reverie.models.parts import Parts
from reverie.models.style import style

SHAPE = Shape(layers=2, width=128, heads=2, kv_heads=1, mlp=192, vocabulary=1024, rope_base=1e4, norm_epsilon=1e-6)


def compiled(made: Kernel) -> Callable[..., Any]:
    """The kernel's function."""
    space: dict[str, Any] = {}
    exec(compile(made.source, "kernel", "exec"), space)
    return space["kernel"]


@dataclass
class Filled:
    """A program and its buffers."""

    program: Program
    buffers: list[np.ndarray]

    def get(self, ref: Ref, dtype, count: int) -> np.ndarray:
        return self.buffers[ref.buffer][ref.offset : ref.offset + count * np.dtype(dtype).itemsize].view(dtype)

    def put(self, name: str, array: np.ndarray) -> None:
        raw = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
        self.buffers[self.program.find(name)][: raw.size] = raw

    def word(self, name: str) -> int:
        return int(self.buffers[self.program.find(name)][:4].view(np.int32)[0])


def video(height: int, width: int, workers: int = 2) -> Filled:
    """`nano` before the first frame of a stream, with a random picture and style."""
    ranges = json.loads(weights.SHIPPED.with_suffix(".ranges.json").read_text())
    parts = Parts(NANO, checkpoint.floats(weights.SHIPPED), ranges)
    program, vectors = Lowering(parts, height, width, workers).build()
    made, rng = Filled(program, [memory(b.bytes) for b in program.buffers]), np.random.default_rng(0)
    y, x = np.mgrid[:height, :width]
    for name, array in {
        "video.weights": parts.constant, "video.vectors": vectors, "noise": noise(5, height, width),
        "style": style(parts, rng.normal(size=(16, NANO.cond)).astype(np.float32)), "strength": np.array([0.9], np.float32),
        "frame": np.stack([y * 3 % 256, x * 2 % 256, (x + y) % 256], 2).astype(np.uint8),
    }.items():  # fmt: skip
        made.put(name, array)
    for block in range(NANO.blocks):  # the first frame is its own past
        for slot in ("sink", "old", "recent"):
            made.buffers[program.find(f"{slot}.{block}")] = made.buffers[program.find(f"now.{block}")]
    return made


def llm(shape: Shape = SHAPE, seed: int = 0, workers: int = 2, count: int = 1) -> Filled:
    """A random LLM before its first token, or before it reads `count` tokens at once."""
    rng, d = np.random.default_rng(seed), shape.width
    k = d // shape.heads * shape.kv_heads
    normal = lambda *size: (rng.normal(size=size) / np.sqrt(size[-1])).astype(np.float32)
    state = {"embed.weight": normal(shape.vocabulary, d), "norm": np.ones(d, np.float32)}
    for n in range(shape.layers):
        sizes = {"q": (d, d), "k": (k, d), "v": (k, d), "o": (d, d), "gate": (shape.mlp, d), "up": (shape.mlp, d)}
        state |= {
            f"layers.{n}.{name}.weight": normal(*size) for name, size in (sizes | {"down": (d, shape.mlp)}).items()
        }
        state |= {f"layers.{n}.attn_norm": 1 + normal(d), f"layers.{n}.mlp_norm": 1 + normal(d)}
    program = llm_lowering.Language(shape, count, workers).build()
    made = Filled(program, [memory(b.bytes) for b in program.buffers])
    made.put("llm.weights", llm_lowering.packed(shape, state))
    made.put("llm.rope", llm_lowering.rope(shape))
    made.put("llm.token", np.array([7], np.int32))
    return made

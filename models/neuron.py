"""Programs in Trainium's cycle model: `nano`, the same with wide layers, and one token of the LLM.

Only shapes matter to the clock.  `nano` has its shipped weights; the wide one and the LLM have none (random, zeros).
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from reverie.kernels.machine import memory
from reverie.kernels.neuron.constants import values
from reverie.kernels.neuron.emit import Kernel, Plan, kernel
from reverie.kernels.neuron.emit_language import Language
from reverie.kernels.neuron.emit_video import Video
from reverie.kernels.neuron.feed import feed
from reverie.kernels.neuron.nkisim import shim
from reverie.kernels.neuron.nkisim.clock import Event
from reverie.kernels.neuron.nkisim.machine import Machine
from reverie.kernels.neuron.timeline import Report, analyse
from reverie.kernels.program import Program
from reverie.kernels.tasks import Ref
from reverie.models import checkpoint, llm_lowering, weights
from reverie.models.checkpoint import Shape
from reverie.models.config import NANO, Config
from reverie.models.lowering import Lowering
from reverie.models.parts import Parts

WIDE = replace(NANO, widths=(128, 128, 256, 512))  # `nano-trn`: multiples of 128, so that the array's rows are full
LLM = Shape(
    width=576, mlp=1536, heads=9, kv_heads=3, layers=30, vocabulary=49_152, rope_base=1e5, norm_epsilon=1e-6
)  # 135 million parameters


@dataclass(frozen=True, slots=True)
class Filled:
    """A program and its buffers."""

    program: Program
    buffers: list[NDArray[np.uint8]]

    def get(self, ref: Ref, dtype: DTypeLike, count: int) -> NDArray[Any]:
        size = count * np.dtype(dtype).itemsize
        return self.buffers[ref.buffer][ref.offset : ref.offset + size].view(dtype)

    def put(self, name: str, array: NDArray[np.generic]) -> None:
        raw = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
        self.buffers[self.program.find(name)][: raw.size] = raw


def filled(program: Program) -> Filled:
    return Filled(program, [memory(buffer.bytes) for buffer in program.buffers])


def video(config: Config, height: int, width: int) -> Filled:
    """A frame of `nano`, or of a network of other widths with random weights."""
    ranges = json.loads(weights.SHIPPED.with_suffix(".ranges.json").read_text())
    floats = checkpoint.floats(weights.SHIPPED) if config == NANO else _random(config)
    parts = Parts(config, floats, ranges)
    program, vectors = Lowering(parts, height, width, 1).build()
    made = filled(program)
    made.put("video.weights", parts.constant)
    made.put("video.vectors", vectors)
    return made


def _random(config: Config) -> dict[str, NDArray[np.float32]]:
    import torch

    from reverie.models.network import Network

    torch.manual_seed(0)
    return {name: tensor.numpy() for name, tensor in Network(config).state_dict().items()}


def language(shape: Shape = LLM) -> Filled:
    """One token of an LLM whose weights are zeros."""
    return filled(llm_lowering.Language(shape, 1, 1).build())


@dataclass(frozen=True, slots=True)
class Emitted:
    """A kernel, what it is launched with, and how long emitting it took."""

    kernel: Kernel
    given: dict[str, NDArray[Any]]
    seconds: float


@dataclass(frozen=True, slots=True)
class Traced:
    """A kernel in the cycle model."""

    report: Report
    events: list[Event]
    peak_bytes: dict[str, int]  # of SBUF and PSUM, a partition
    lines: int
    emit_s: float


def emitted(models: Sequence[tuple[Plan, Filled]], interleave: bool = True) -> Emitted:
    """Raises: RuntimeError where the real nki is installed."""
    if not shim.install() and shim.real():
        raise RuntimeError("the cycle model runs on our simulator of nki, and the real one is installed here")
    began = time.perf_counter()
    made = kernel([plan for plan, _ in models], interleave)
    given = feed(made, *((each.program, each.get) for _, each in models))
    return Emitted(made, given, round(time.perf_counter() - began, 2))


def traced(made: Emitted, constants: Mapping[str, float] | None = None) -> Traced:
    """Run a kernel without arithmetic: every rule is checked, the clock is modelled, in the kernel's own order.

    Raises: nkisim's Violation where the hardware would refuse.
    """
    space: dict[str, Any] = {}
    exec(compile(made.kernel.source, "kernel", "exec"), space)
    _, machine = shim.run(space["kernel"], made.given, Machine(dict(constants or values()), computing=False))
    report = analyse(machine.events, machine.constants["clock.tensor_ghz"])
    return Traced(report, machine.events, machine.peak, made.kernel.source.count("\n"), made.seconds)


def profile(tokens: bool, height: int = 288, width: int = 512) -> Traced:
    """A frame of `nano`, and a token of the LLM beside it."""
    picture = video(NANO, height, width)
    models = [(Video(picture.program, 0, picture.get).build(), picture)]
    if tokens:
        text = language()
        models.append((Language(text.program, 0, text.get).build(), text))
    return traced(emitted(models))

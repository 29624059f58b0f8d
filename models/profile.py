"""Traced launches of `nano`: frames of a moving picture, with the LLM's tokens beside them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from reverie.kernels import _cpu, trace
from reverie.kernels.machine import Order, Pool
from reverie.kernels.program import Program
from reverie.models import nano_kernel
from reverie.models.llm_kernel import DECODE

WARM, PEAK_STEPS, PEAK_RUNS = 3, 4_000_000, 5


def profile(
    frames: int, tokens: bool, cpu: str = "", progress: Callable[[int], object] = lambda n: None
) -> tuple[Program, list[trace.Event], trace.Report]:
    """The program, the events and the report of the frame whose span is the median.

    Args: frames: how many are traced, at least 1.  tokens: whether the LLM makes one with each.
    Raises: ValueError if frames is less than 1 or the path cannot run here.
    """
    if frames < 1:
        raise ValueError(f"frames must be at least 1, got {frames}")
    model = nano_kernel.load(cpu=cpu)
    pool, stream = model.device.pool, model.stream()
    assert isinstance(pool, Pool)
    stream.start("pencil sketch")
    y, x = np.mgrid[:288, :512]
    picture = np.stack([128 + 90 * np.sin(x / 31 + p) * np.cos(y / 23 - p) for p in range(3)], -1).astype(np.uint8)
    stream.step(np.stack([np.roll(picture, 4 * n, 1) for n in range(WARM)]))
    instance = stream._instance
    assert instance is not None
    position = model._llm.given["llm.position"][:4].view(np.int32)
    runs = []
    for number in range(frames):
        position[0] = WARM
        pool.launch([(instance, 0), (instance, DECODE)] if tokens else [(instance, 0)], Order.STEALING, traced=True)
        runs.append(pool.events())
        progress(number + 1)
    peak = max(_cpu.peak(pool.path, pool.workers, PEAK_STEPS) for _ in range(PEAK_RUNS))
    span = lambda events: max(e[4] for e in events) - min(e[3] for e in events)
    events = sorted(runs, key=span)[len(runs) // 2]
    return instance.loaded.program, events, trace.analyse(instance.loaded.program, events, pool.workers, peak)

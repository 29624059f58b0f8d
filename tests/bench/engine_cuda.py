"""A frame of nano on an NVIDIA GPU: our persistent kernel, and torch compiled into CUDA graphs.  It has never run on one."""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from clips import moving_camera

from reverie.kernels.cuda import compiler
from reverie.kernels.cuda.driver import Driver
from reverie.kernels.cuda.launcher import Launcher
from reverie.models import nano, nano_kernel
from reverie.models.blend import blend
from reverie.models.lowering import Lowering

ROUNDS = 50


def ours(driver: Driver, image: bytes, clip: np.ndarray) -> tuple[Launcher, np.ndarray]:
    """The last frame of a clip, ready to be launched with a block on each multiprocessor; and what the CPU made of it."""
    model = nano_kernel.load()
    stream = model.stream()
    stream.start("pencil sketch")
    stream.step(clip[:-1])
    instance = stream._instance
    assert instance is not None
    height, width = clip.shape[1:3]
    program, _ = Lowering(model.parts, height, width, driver.card.multiprocessors).build()
    known = {buffer.name for buffer in instance.loaded.program.buffers}
    shown = stream.step(clip[-1:])[0]  # the same buffers again: the ring moved on before
    given = {b.name: instance[b.name] for b in program.buffers if b.name in known and not b.name.startswith("arena")}
    return Launcher(program, given, image, driver), shown


def compiled(model: nano.Nano, clip: np.ndarray) -> Callable[[], object]:
    """torch.compile with CUDA graphs, bfloat16."""
    import rivals

    style = nano.Nano(model.network, model._llm, 1, torch.float32).style(blend("pencil sketch"))[0]
    step = rivals.Step(model, style).eval().cuda().bfloat16()
    step.style = type(style)(*(x.cuda().bfloat16() if isinstance(x, torch.Tensor) else x for x in style))
    frame = (torch.from_numpy(clip[-1].copy()).permute(2, 0, 1)[None].float() / 127.5 - 1).cuda().bfloat16()
    noise = nano.noise(0, *clip.shape[1:3]).cuda().bfloat16()
    past = [torch.zeros(rivals.KEYS, device="cuda", dtype=torch.bfloat16) for _ in range(4)]
    fast = torch.compile(step, mode="reduce-overhead")

    def run() -> None:
        with torch.inference_mode():
            fast(frame, noise, *past)
        torch.cuda.synchronize()

    return run


def median_ms(run: Callable[[], object]) -> float:
    for _ in range(5):
        run()
    times = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        run()
        times.append(time.perf_counter() - began)
    return round(1e3 * statistics.median(times), 3)


def measure() -> dict[str, Any]:
    """Ends the process with one sentence where there is no GPU or no compiler for it."""
    try:
        driver = Driver()
        with tempfile.TemporaryDirectory() as folder:
            compiler.to_ptx(Path(folder) / "kernel.ptx")
            image = (Path(folder) / "kernel.ptx").read_bytes()
    except (RuntimeError, FileNotFoundError) as error:
        print(f"bench engine --device cuda: {error}", file=sys.stderr)
        sys.exit(2)
    clip = moving_camera(3)
    launcher, shown = ours(driver, image, clip)
    launcher.launch([0])
    equal = bool((launcher["shown"][: shown.size] == shown.reshape(-1)).all())
    found: dict[str, Any] = {
        "bench": "engine", "device": driver.card.name, "multiprocessors": driver.card.multiprocessors,
        "bits_of_the_cpu": equal, "ours_ms": median_ms(lambda: launcher.launch([0])),
    }  # fmt: skip
    if torch.cuda.is_available():
        found["torch_ms"] = median_ms(compiled(nano.load(), clip))
        found["ratio_torch"] = round(found["torch_ms"] / found["ours_ms"], 2)
    return found

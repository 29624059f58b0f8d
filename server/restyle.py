"""`reverie restyle`: a video file in, the same video in another look out; whole or not at all."""

from __future__ import annotations

import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from reverie.models import registry
from reverie.models.stream import Model, StreamModel
from reverie.server import provenance
from reverie.server.pictures import Picture, resize
from reverie.server.sizing import asked, render_size
from reverie.server.transcode import transcode
from reverie.server.upscale import upscale
from reverie.server.video import MUXERS, Reader

MAX_RENDER_AREA = 1280 * 720


@dataclass(frozen=True, slots=True)
class Job:
    """What the user asked for; `check` says what is wrong with it."""

    input: Path
    output: Path
    prompt: str
    model: str
    device: str
    strength: float
    seed: int
    render: str | None  # WxH
    enhance: bool

    @property
    def suffix(self) -> str:
        """Of the output, in small letters: it chooses container and codecs."""
        return self.output.suffix.lower()

    def check_look(self) -> None:
        """Raises ValueError with one clear sentence."""
        registry.check(self.model, self.device)
        if not self.prompt.strip():
            raise ValueError("the prompt is empty")
        if not 0 <= self.strength <= 1:
            raise ValueError(f"strength must be 0 to 1, got {self.strength}")
        if not 0 <= self.seed < 2**32:
            raise ValueError(f"seed must be 0 to {2**32 - 1}, got {self.seed}")
        self.render_size()

    def check(self) -> None:
        """Raises ValueError, FileNotFoundError or PermissionError with one clear sentence."""
        self.check_look()
        if self.suffix not in MUXERS:
            raise ValueError(f"{self.output.name}: the output must end in {', '.join(MUXERS)}")
        if self.output.is_dir():
            raise IsADirectoryError(f"{self.output} is a directory")
        if not self.output.parent.is_dir():
            raise FileNotFoundError(f"the folder {self.output.parent} does not exist")
        if not os.access(self.output.parent, os.W_OK):
            raise PermissionError(f"the folder {self.output.parent} cannot be written to")
        if self.output.exists() and self.input.exists() and self.output.samefile(self.input):
            raise ValueError("input and output are the same file")

    def render_size(self) -> tuple[int, int] | None:
        """Width and height asked for, if any."""
        return None if self.render is None else asked(self.render)


def restyle(job: Job) -> dict[str, Any]:
    """Do the job and return what `--json` prints; a bar on a terminal shows how far it is.

    Raises: ValueError, OSError with one clear sentence; then no output is left behind, and an older one is untouched.
    """
    job.check()
    reader = Reader(job.input)
    partial = job.output.with_name(f".{job.output.name}.{os.getpid()}.partial")
    try:
        report = _run(job, reader, partial)
        provenance.mark(partial, job.suffix)
        partial.replace(job.output)
    finally:
        reader.close()
        partial.unlink(missing_ok=True)
    return report


def _run(job: Job, reader: Reader, partial: Path) -> dict[str, Any]:
    work = Work(job, begin(job, registry.load(job.model, job.device)))
    began = time.monotonic()
    with tqdm(total=reader.promised or None, unit="frame", disable=not sys.stderr.isatty()) as bar:

        def paint(picture: Picture) -> Picture:
            shown = work.frame(picture)
            bar.update()
            return shown

        transcode(reader, partial, job.suffix, paint)
    return work.report(time.monotonic() - began)


def begin(job: Job, model: Model) -> StreamModel:
    """A stream with the job's look."""
    prompt = "".join(model.enhance(job.prompt)) if job.enhance else job.prompt
    stream = model.stream()
    stream.start(prompt, job.seed, job.strength)
    return stream


class Work:
    """Renders frames and keeps the figures."""

    def __init__(self, job: Job, stream: StreamModel) -> None:
        self.job, self.stream = job, stream
        self.asked = job.render_size()
        self.steps_ms: list[float] = []
        self.render = self.resolution = (0, 0)

    def frame(self, source: Picture) -> Picture:
        """The frame in its new look, at the size of the source."""
        self.resolution = source.shape[1], source.shape[0]
        self.render = self.asked or render_size(*self.resolution)
        small = resize(source, *self.render)
        began = time.perf_counter()
        styled = self.stream.step(small[None])[0]
        self.steps_ms.append((time.perf_counter() - began) * 1000)
        return source if self.job.strength == 0 else upscale(styled, source)

    def report(self, seconds: float) -> dict[str, Any]:
        p50, p95 = (round(float(q), 2) for q in np.percentile(self.steps_ms, (50, 95)))
        return {
            "frames": len(self.steps_ms),
            "fps": round(len(self.steps_ms) / seconds, 2),
            "step_ms": {"p50": p50, "p95": p95},
            "render": f"{self.render[0]}x{self.render[1]}",
            "resolution": f"{self.resolution[0]}x{self.resolution[1]}",
            "device": self.job.device,
            "model": self.job.model,
        }

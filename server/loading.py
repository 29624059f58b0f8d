"""A model's loading on a thread of its own: it begins before the server's modules are imported, which takes as long.

Only what loading itself needs is imported here.
"""

from __future__ import annotations

import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from reverie.models import registry
from reverie.models.stream import Model, StreamModel
from reverie.server.settings import Settings

WARM_PROMPT = "pencil sketch"
WARM_STEPS = 4
WARM_SIZE = (512, 288)


@dataclass(frozen=True, slots=True)
class Warm:
    """A model that has taken its first steps."""

    model: Model
    stream: StreamModel  # that took them
    step_s: float  # the quickest


def begin(settings: Settings) -> Future[Warm]:
    """The result holds whatever the loader tripped over.  A process that ends before waits for it."""
    thread = ThreadPoolExecutor(1, "loading")
    begun = thread.submit(load, settings)
    thread.shutdown(wait=False)  # once that is done
    return begun


def load(settings: Settings) -> Warm:
    """Raises: FileNotFoundError, ValueError with a sentence for the operator."""
    model = registry.load(
        settings.model_source, settings.device, settings.llm or None, settings.cpu, settings.skip, settings.precision,
        settings.max_sessions,
    )  # fmt: skip
    model.prepare(WARM_PROMPT)
    stream = model.stream()
    stream.start(WARM_PROMPT)
    picture, took = np.zeros((1, *WARM_SIZE[::-1], 3), np.uint8), []
    for _ in range(WARM_STEPS):
        began = time.monotonic()
        stream.step(picture)
        took.append(time.monotonic() - began)
    return Warm(model, stream, min(took))

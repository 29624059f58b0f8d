"""Who may launch: frames first, and the LLM's tokens inside their launches where there are frames."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field

from reverie.kernels.cuda.pool import GpuPool
from reverie.kernels.machine import Instance, Order, Pool

LIVE_S = 0.2  # frames come, if one came this lately
PATIENCE_S = 0.1  # that a token waits for a frame to go with
TIMEOUT_S = 10.0


@dataclass
class Waiting:
    """A token that wants to go with the next frame."""

    model: int
    done: threading.Event = field(default_factory=threading.Event)
    error: RuntimeError | None = None


class Device:
    """The workers of this process.  Its methods may be called from any thread."""

    def __init__(self, workers: int, path: str = "", pin: bool = False, gpu: GpuPool | None = None) -> None:
        """Args: gpu: what runs in the place of this processor's workers."""
        self._make = lambda: gpu or Pool(workers, path, pin)
        self.pool = self._make()
        self._lock = threading.Lock()
        self._waiting: Waiting | None = None
        self._frame_at = 0.0
        self.tokens = {"frames": 0, "nothing": 0}  # the LLM's, made inside a frame's launch, and by themselves

    def frame(self, instances: list[Instance], model: int = 0) -> None:
        """Run the video model of some sessions, and the LLM's next token where one waits.

        Raises: RuntimeError if the launch failed; what the instances hold is then undefined.
        """
        with self._lock:
            jobs = [(instance, model) for instance in instances]
            waiting, self._waiting = self._waiting, None
            if waiting is not None:
                jobs.append((instances[0], waiting.model))
            try:
                self._launch(jobs)
            except RuntimeError as error:
                if waiting is not None:
                    waiting.error = error
                raise
            finally:
                self._frame_at = time.monotonic()
                if waiting is not None:
                    self.tokens["frames"] += 1
                    waiting.done.set()

    def token(self, alone: Instance, model: int) -> None:
        """Run one epoch of the LLM: `model` of a frame's program if frames are coming, else `alone`."""
        if time.monotonic() - self._frame_at < LIVE_S:
            waiting = self._waiting = Waiting(model)
            waiting.done.wait(PATIENCE_S)
            with self._lock:
                if self._waiting is waiting:
                    self._waiting = None
            if waiting.done.is_set():
                if waiting.error is not None:
                    raise RuntimeError(f"with the frame: {waiting.error}")
                return
        self.run(alone)
        self.tokens["nothing"] += 1

    def run(self, instance: Instance) -> None:
        """One epoch of a program that has nothing to do with frames."""
        with self._lock:
            self._launch([(instance, 0)])

    def _launch(self, jobs: list[tuple[Instance, int]]) -> None:
        if self.pool.broken:
            self.pool = self._make()
        self.pool.launch(jobs, Order.STEALING, TIMEOUT_S)

"""Shards: chunks of videos, painted by workers, each a process with the model; `ray_workers.py` has those of Ray."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

from reverie.models import registry
from reverie.models.stream import Model
from reverie.server import chunks
from reverie.server.chunks import Chunk
from reverie.server.restyle import Job, Work, begin

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Shard:
    """A chunk of a job's video, and the folder of its segments."""

    job: Job
    chunk: Chunk
    folder: Path


class WorkerDied(Exception):
    """The process that worked on a shard is gone: out of memory, killed, its machine lost."""


class Worker(Protocol):
    """Does one thing at a time.  Its futures raise what the work raised, or WorkerDied; then it takes work again."""

    def paint(self, shard: Shard) -> Future[None]: ...

    def enrich(self, job: Job) -> Future[str]: ...

    def close(self) -> None: ...


class Shop:
    """What a worker's process has: the model, and the stream of its last shard for the chunk after that."""

    def __init__(self) -> None:
        self._models: dict[tuple[str, str], Model] = {}
        self._work: Work | None = None
        self._next: tuple[Job, int] | None = None

    def paint(self, shard: Shard) -> None:
        """Raises: ValueError, OSError; whatever the model raises."""
        job, fresh = shard.job, (shard.job, shard.chunk.number) != self._next
        if fresh or self._work is None:
            self._work = Work(job, begin(job, self._model(job)))
        self._next = None
        chunks.paint(job.input, shard.chunk, shard.folder, job.suffix, self._work.frame, fresh)
        self._next = job, shard.chunk.number + 1

    def enrich(self, job: Job) -> str:
        """The job's prompt as the LLM says it."""
        return "".join(self._model(job).enhance(job.prompt)).strip() or job.prompt

    def _model(self, job: Job) -> Model:
        name = job.model, job.device
        if name not in self._models:
            self._models[name] = registry.load(*name)
        return self._models[name]


class ProcessWorker:
    """A process on this machine, which ends with us."""

    def __init__(self) -> None:
        self._open()

    def _open(self) -> None:
        self._executor = ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), _begin)

    def paint(self, shard: Shard) -> Future[None]:
        return self._told(self._executor.submit(_paint, shard))

    def enrich(self, job: Job) -> Future[str]:
        return self._told(self._executor.submit(_enrich, job))

    def close(self) -> None:
        self._executor.shutdown(wait=False, cancel_futures=True)

    def _told(self, doing: Future[T]) -> Future[T]:
        told: Future[T] = Future()

        def done(future: Future[T]) -> None:
            error = future.exception()
            if isinstance(error, BrokenProcessPool):
                self._open()
                error = WorkerDied()
            if error is not None:
                told.set_exception(error)
            else:
                told.set_result(future.result())

        doing.add_done_callback(done)
        return told


SHOP: Shop


def _begin() -> None:
    global SHOP
    SHOP = Shop()
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C is for all of us: what is not finished is painted again
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _paint(shard: Shard) -> None:
    SHOP.paint(shard)


def _enrich(job: Job) -> str:
    return SHOP.enrich(job)

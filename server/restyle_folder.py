"""`reverie restyle FOLDER OUT`: every video of a folder in another look, in chunks, by any number of workers.

What is done stays done: a run that was stopped goes on with the chunk after the last one finished.  At most one chunk
a worker is on its way, so memory does not grow with the folder, the films or their length.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import sys
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tqdm import tqdm

from reverie.server import chunks, provenance, ray_cluster
from reverie.server.chunks import Chunk
from reverie.server.ray_workers import RayWorker
from reverie.server.restyle import Job
from reverie.server.shards import ProcessWorker, Shard, Worker, WorkerDied
from reverie.server.video import MUXERS, Reader

WORK = ".restyle"  # in the output folder: chunks of what is not done, and what was done
TRIES = 2  # of a chunk whose worker dies


@dataclass(slots=True)
class File:
    """One video of the folder, and how far it is."""

    name: str  # relative to the folder
    job: Job
    work: Path  # its chunks
    state: str = "waiting"  # made, there (from an earlier run), failed
    error: str = ""
    plan: tuple[Chunk, ...] = ()
    left: set[int] = field(default_factory=set)

    @property
    def done_mark(self) -> Path:
        return self.work.with_suffix(".done")

    def report(self) -> dict[str, Any]:
        pictures = sum(chunk.pictures for chunk in self.plan)
        told = {"file": self.name, "state": self.state, "frames": pictures, "chunks": len(self.plan)}
        return told | ({"error": self.error} if self.error else {})


def restyle_folder(
    job: Job, workers: Sequence[Worker], told: Callable[[File, int], None] = lambda file, pictures: None
) -> list[dict[str, Any]]:
    """Restyle every video below `job.input` into the same place below `job.output`.

    Args: told: hears of a file and how many pictures of it have been painted just now.
    Returns: what became of each, in the order of their names.
    Raises: ValueError, OSError if nothing can be begun; what is wrong with one file is in its report.
    """
    found = videos(job.input, job.output)
    job.check_look()
    work = job.output / WORK
    work.mkdir(parents=True, exist_ok=True)
    with _alone(work, job.output):
        look = replace(job, enhance=False, prompt=_enriched(job, work, workers[0])) if job.enhance else job
        files = [_file(look, name, work) for name in found]
        _Run(files, workers, told).go()
    return [file.report() for file in files]


def begin_and_tell(job: Job, count: int, ray_address: str | None) -> list[dict[str, Any]]:
    """`restyle_folder` with workers of its own; a bar on a terminal shows how far it is.

    Args: count: workers, 0 for as many as fit.  ray_address: a cluster, or "local"; None takes processes.
    Raises: as `restyle_folder`; ValueError if Ray is not there.
    """
    videos(job.input, job.output)  # before anything is started
    job.check_look()
    if count < 0:
        raise ValueError(f"workers must be 0 or more, got {count}")
    workers = _on_ray(job, count, ray_address) if ray_address else [ProcessWorker() for _ in range(count or _room())]
    with tqdm(unit="frame", disable=not sys.stderr.isatty()) as bar:

        def told(file: File, pictures: int) -> None:
            bar.set_postfix_str(file.name)
            bar.update(pictures)

        try:
            return restyle_folder(job, workers, told)
        finally:
            for worker in workers:
                worker.close()


def _room() -> int:
    return max(1, (os.cpu_count() or 1) // 2)


def _on_ray(job: Job, count: int, address: str) -> Sequence[Worker]:
    ray = ray_cluster.connect(address)
    return [RayWorker(ray, job.device) for _ in range(count or ray_cluster.room(ray, job.device))]


def videos(folder: Path, output: Path) -> list[str]:
    """Names of all videos below a folder but for those of the output.  Raises ValueError if there are none."""
    if output.resolve() == folder.resolve():
        raise ValueError("input and output are the same folder")
    if output.is_file():
        raise ValueError(f"{output} is a file; the output of a folder is a folder")
    paths = [
        path for path in sorted(folder.rglob("*"))
        if path.suffix.lower() in MUXERS and path.is_file() and not path.resolve().is_relative_to(output.resolve())
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    ]  # fmt: skip
    if not paths:
        raise ValueError(f"{folder} has no videos ({', '.join(MUXERS)})")
    return [path.relative_to(folder).as_posix() for path in paths]


@contextmanager
def _alone(work: Path, output: Path) -> Iterator[None]:
    with (work / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ValueError(f"another reverie restyle is writing to {output}") from None
        yield


def _enriched(job: Job, work: Path, worker: Worker) -> str:
    """One prompt for all files and all runs."""
    kept = work / f"{_digest(job.prompt, job.model)}.words"
    if not kept.exists():
        partial = kept.with_suffix(".partial")
        partial.write_text(worker.enrich(job).result(), encoding="utf-8")
        partial.replace(kept)
    return kept.read_text(encoding="utf-8")


def _digest(*parts: object) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:24]


def _file(job: Job, name: str, work: Path) -> File:
    mine = replace(job, input=job.input / name, output=job.output / name)
    about = mine.input.stat()
    look = (mine.prompt, mine.model, mine.device, mine.strength, mine.seed, mine.render)
    return File(name, mine, work / _digest(name, about.st_size, about.st_mtime_ns, *look))


class _Run:
    """Hands chunks to workers, in order, and joins what is complete."""

    def __init__(self, files: Sequence[File], workers: Sequence[Worker], told: Callable[[File, int], None]) -> None:
        self._files, self._told = files, told
        self._idle = deque(workers)
        self._running: dict[Future[None], tuple[Worker, File, Chunk]] = {}
        self._again: deque[tuple[File, Chunk]] = deque()
        self._deaths: Counter[tuple[str, int]] = Counter()

    def go(self) -> None:
        coming = self._coming()
        while True:
            while self._idle and (found := self._again.popleft() if self._again else next(coming, None)):
                file, chunk = found
                if file.state == "waiting":
                    worker = self._idle.popleft()
                    self._running[worker.paint(Shard(file.job, chunk, file.work))] = worker, file, chunk
            if not self._running:
                return
            for future in wait(self._running, return_when=FIRST_COMPLETED).done:
                worker, file, chunk = self._running.pop(future)
                self._idle.appendleft(worker)  # it has the stream for the chunk after this one
                self._settle(future, file, chunk)

    def _coming(self) -> Iterator[tuple[File, Chunk]]:
        """All that is to be painted, file by file; each is cut when it is its turn."""
        for file in self._files:
            with self._fault_of(file):
                if file.done_mark.exists() and file.job.output.exists():
                    file.state = "there"
                    continue
                self._begin(file)
                if not file.left:
                    self._finish(file)
            for chunk in file.plan:
                if chunk.number in file.left:
                    yield file, chunk

    def _begin(self, file: File) -> None:
        file.job.output.parent.mkdir(parents=True, exist_ok=True)
        file.job.check()
        reader = Reader(file.job.input)
        try:
            file.plan = chunks.plan(reader)
        finally:
            reader.close()
        file.work.mkdir(exist_ok=True)
        file.left = {each.number for each in file.plan if not each.segment(file.work).exists()}
        self._told(file, sum(each.pictures for each in file.plan if each.number not in file.left))

    def _settle(self, future: Future[None], file: File, chunk: Chunk) -> None:
        try:
            with self._fault_of(file):
                future.result()
                file.left.discard(chunk.number)
                self._told(file, chunk.pictures)
                if not file.left:
                    self._finish(file)
        except WorkerDied:
            self._deaths[file.name, chunk.number] += 1
            if self._deaths[file.name, chunk.number] < TRIES:
                self._again.append((file, chunk))
            else:
                file.state = "failed"
                file.error = f"the worker died {TRIES} times at chunk {chunk.number + 1} of {len(file.plan)}"

    def _finish(self, file: File) -> None:
        output = file.job.output
        partial = output.with_name(f".{output.name}.partial")
        try:
            chunks.join([each.segment(file.work) for each in file.plan], file.job.input, partial, file.job.suffix)
            provenance.mark(partial, file.job.suffix)
            partial.replace(output)
        finally:
            partial.unlink(missing_ok=True)
        file.done_mark.touch()
        shutil.rmtree(file.work)
        file.state = "made"

    @contextmanager
    def _fault_of(self, file: File) -> Iterator[None]:
        """One file's fault ends that file only."""
        try:
            yield
        except WorkerDied:
            raise
        except (ValueError, OSError) as error:
            file.state, file.error = "failed", str(error)
        except Exception as error:  # a model's
            file.state, file.error = "failed", f"the model failed: {type(error).__name__}: {error}"

"""Workers of `reverie restyle` and `index` on Ray, one actor each.  They see folders under the same names as we do."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any, TypeVar

from reverie.models.search import space
from reverie.server import ray_cluster, segment
from reverie.server.ray_cluster import needs
from reverie.server.restyle import Job
from reverie.server.search.footage import Due, Look, looked
from reverie.server.shards import Shard, Shop, WorkerDied

T = TypeVar("T")
AHEAD = 2400  # instants of a file, ten minutes, that may wait for the one who writes
DEATHS = 3  # of a worker at one place of a file; Ray may tell of one twice


class RayWorker:
    """An actor with the model; Ray starts it again when it dies."""

    def __init__(self, ray: Any, device: str) -> None:
        self._ray = ray
        self._shop = ray.remote(Shop).options(max_restarts=-1, **needs(device)).remote()

    def paint(self, shard: Shard) -> Future[None]:
        return self._told(self._shop.paint.remote(shard))

    def enrich(self, job: Job) -> Future[str]:
        return self._told(self._shop.enrich.remote(job))

    def close(self) -> None:
        self._ray.kill(self._shop)

    def _told(self, doing: Any) -> Future[Any]:
        told: Future[Any] = Future()

        def done(future: Future[Any]) -> None:
            error: Any = future.exception()
            if error is None:
                told.set_result(future.result())
            elif isinstance(error, self._ray.exceptions.RayActorError):
                told.set_exception(WorkerDied())
            else:  # what the work raised is inside of Ray's own error
                told.set_exception(getattr(error, "cause", error))

        doing.future().add_done_callback(done)
        return told


class Looker:
    """What an actor that reads footage has."""

    def __init__(self, source: str, segmenter: Path) -> None:
        self._space = space.load(source)
        self._segmenter = segment.Segmenter(segmenter) if segment.is_here(segmenter) else None

    def look(self, path: Path, begin_s: float) -> Iterator[Look]:
        yield from looked(self._space, path, begin_s, self._segmenter)


class RayLookers:
    """Actors that read footage: one file each at a time, given back in order.  One that dies goes on where it was."""

    def __init__(self, address: str, count: int, source: str, segmenter: Path) -> None:
        """Raises: ValueError if Ray is not there or count is below 0; 0 is as many as fit."""
        if count < 0:
            raise ValueError(f"workers must be 0 or more, got {count}")
        self._ray = ray_cluster.connect(address)
        actor = self._ray.remote(Looker).options(max_restarts=-1, **needs("cpu"))
        self._actors = [actor.remote(source, segmenter) for _ in range(count or ray_cluster.room(self._ray, "cpu"))]

    def __call__(self, due: Iterator[Due]) -> Iterator[tuple[Due, Iterator[Look]]]:
        idle, running = deque(self._actors), deque[tuple[Due, Any, Any]]()
        while True:
            while idle and (file := next(due, None)) is not None:
                actor = idle.popleft()
                running.append((file, actor, self._look(actor, file.path, file.begin_s)))
            if not running:
                return
            file, actor, stream = running.popleft()
            yield file, self._seen(file, actor, stream)
            idle.append(actor)

    def close(self) -> None:
        for actor in self._actors:
            self._ray.kill(actor)

    def _look(self, actor: Any, path: Path, begin_s: float) -> Any:
        look = actor.look.options(num_returns="streaming", _generator_backpressure_num_objects=AHEAD)
        return look.remote(path.resolve(), begin_s)

    def _seen(self, file: Due, actor: Any, stream: Any) -> Iterator[Look]:
        begin_s, deaths = file.begin_s, 0
        while True:
            try:
                for each in stream:
                    look: Look = self._ray.get(each)
                    if look.windows:
                        begin_s, deaths = look.windows[-1][0].end, 0
                    yield look
                return
            except self._ray.exceptions.RayActorError:
                deaths += 1
            if deaths == DEATHS:
                raise ChildProcessError(
                    f"the worker died again and again at {file.path.name}, {begin_s:.0f} s; what is done stays done: "
                    "move the file away or give workers more memory, and run it again"
                )
            stream = self._look(actor, file.path, begin_s)

"""Workers of `reverie restyle` on Ray: one actor each.  They see the folders under the same names as we do."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any, TypeVar

from reverie.server.ray_cluster import needs
from reverie.server.restyle import Job
from reverie.server.shards import Shard, Shop, WorkerDied

T = TypeVar("T")


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

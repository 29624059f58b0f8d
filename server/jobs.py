"""Jobs: what is to be restyled later.  A folder for each, `data/jobs/TENANT/ID/`, so that none is lost with the server.

One clip and one picture are worked on at a time, in the order in which they came, on threads that give way to others.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import re
import secrets
import shutil
import threading
import time
from collections.abc import Callable
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

from reverie.server.errors import Refused
from reverie.server.metrics import Metrics
from reverie.server.recordings import MIN_FREE

log = logging.getLogger(__name__)
ID = re.compile(r"job_[0-9a-f]{24}")
KEPT_S = 86_400  # from its end
MAX_OPEN = 50  # of a tenant
NICE = 10  # of its threads: a live session's come first
CHUNKS = "chunks"  # folder of what is done of a clip
UNFINISHED = ("pending", "processing")


@dataclass(frozen=True, slots=True)
class Job:
    """What is known of one, and written down."""

    id: str
    tenant: str
    model: str  # as it was asked for
    kind: str  # video, image
    prompt: str
    enhance: bool
    seed: int
    resolution: str  # 480p, 720p or 1080p; empty is the source's own
    created_at: float  # seconds since 1970
    state: str = "pending"  # processing, completed, failed
    progress: float = 0.0  # 0 to 1
    error: str = ""  # one sentence
    error_type: str = ""
    ended_at: float = 0.0


Work = Callable[[Job, Path, Callable[[float], None]], None]  # the job, its folder; is told how far it is, 0 to 1


class Stopped(Exception):
    """Raised in the midst of work that nobody wants any longer."""


class Live:
    """A job that is not over."""

    def __init__(self, job: Job, folder: Path) -> None:
        """Raises BlockingIOError if another process has it."""
        self.job, self.folder = job, folder
        self.unwanted = threading.Event()
        self.done: Future[Job] = Future()
        self._lock = (folder / "lock").open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._lock.close()
            raise

    def tell(self, progress: float) -> None:
        if self.unwanted.is_set():
            raise Stopped
        self.job = replace(self.job, progress=round(progress, 3))

    def note(self, **changes: Any) -> None:
        self.job = replace(self.job, **changes)
        partial = self.folder / "job.partial"
        partial.write_text(json.dumps(asdict(self.job)), encoding="utf-8")
        partial.replace(self.folder / "job.json")

    def close(self) -> None:
        self._lock.close()


class Jobs:
    """The jobs of all tenants; a tenant's name is a folder's (access.NAME).  May be called from any thread."""

    def __init__(self, folder: Path, metrics: Metrics) -> None:
        self._folder, self._metrics = folder, metrics
        self._live: dict[str, Live] = {}
        self._guard = threading.Lock()
        self._work: Work | None = None
        self._closing = False
        self._threads = {kind: ThreadPoolExecutor(1, kind, _give_way) for kind in ("video", "image")}

    def begin(self, work: Work) -> None:
        """The model is there: from now on jobs are worked on, first those that an earlier process left."""
        for path in sorted(self._folder.glob("*/job_*/job.json"), key=lambda path: path.stat().st_mtime):
            job = _read(path)
            if job is not None and job.state in UNFINISHED and job.id not in self._live:
                try:
                    live = Live(replace(job, state="pending"), path.parent)
                except BlockingIOError:
                    continue
                with self._guard:
                    self._live[job.id] = live
        with self._guard:
            self._work = work
            waiting = sorted(self._live.values(), key=lambda each: each.job.created_at)
        for live in waiting:
            self._threads[live.job.kind].submit(self._run, live)

    def submit(self, job: Job, data: BinaryIO, reference: BinaryIO | None, check: Callable[[Path], str]) -> Live:
        """
        Args:
            job: its id and kind are given here.
            check: says of the job's folder what kind it is, or raises ValueError.
        Raises: Refused.
        """
        self._forget(job.tenant)
        if sum(each.job.tenant == job.tenant for each in self._live.values()) >= MAX_OPEN:
            raise Refused(429, "too_many_jobs", f"{MAX_OPEN} jobs are waiting already; ask again when some are done")
        folder = self._folder / job.tenant / f"job_{secrets.token_hex(12)}"
        folder.mkdir(parents=True)
        try:
            if (free := shutil.disk_usage(folder).free) < MIN_FREE:
                raise Refused(507, "disk_full", f"{free // 10**6} MB are free, {MIN_FREE // 10**6} must stay so")
            for name, source in (("data", data), ("reference", reference)):
                if source is not None:
                    with (folder / name).open("wb") as file:
                        shutil.copyfileobj(source, file)
            live = Live(replace(job, id=folder.name, kind=check(folder)), folder)
            live.note()
        except ValueError as error:
            shutil.rmtree(folder)
            raise Refused(400, "bad_request", str(error)) from None
        except BaseException:
            shutil.rmtree(folder)
            raise
        with self._guard:
            self._live[folder.name] = live
            begun = self._work is not None
        if begun:
            self._threads[live.job.kind].submit(self._run, live)
        return live

    def every(self, tenant: str) -> list[Job]:
        """Newest first."""
        found = [self._known(path.parent) for path in (self._folder / tenant).glob("job_*/job.json")]
        return sorted((each for each in found if each is not None), key=lambda each: each.created_at, reverse=True)

    def find(self, tenant: str, name: str) -> Job:
        """Raises: Refused 404."""
        job = self._known(self._folder / tenant / name) if ID.fullmatch(name) else None
        if job is None or _over(job):
            raise Refused(404, "not_found", "there is no such job, or its day is over")
        return job

    def content(self, tenant: str, name: str) -> Path:
        """The file that a job made.  Raises: Refused 404; 409 while there is none."""
        job = self.find(tenant, name)
        if job.state == "failed":
            raise Refused(409, job.error_type, f"the job failed: {job.error}")
        if job.state != "completed":
            raise Refused(409, "not_ready", f"the job is {job.state}, {job.progress:.0%} done")
        return self._folder / tenant / name / output_name(job.kind)

    def cancel(self, tenant: str, name: str) -> None:
        """End a job, or forget one that has ended.  Raises: Refused 404."""
        self.find(tenant, name)
        with self._guard:
            live = self._live.get(name)
        if live is None:
            return shutil.rmtree(self._folder / tenant / name, ignore_errors=True)
        live.unwanted.set()

    def close(self) -> None:
        """Stop; what is not done is done after the next start."""
        self._closing = True
        for live in tuple(self._live.values()):
            live.unwanted.set()
        for thread in self._threads.values():
            thread.shutdown(wait=False, cancel_futures=True)
        for live in tuple(self._live.values()):
            if live.job.state == "pending":
                live.close()

    def _run(self, live: Live) -> None:
        assert self._work is not None
        end: dict[str, Any] = {"state": "completed", "progress": 1.0}
        try:
            live.tell(live.job.progress)
            live.note(state="processing")
            self._work(live.job, live.folder, live.tell)
        except (Stopped, CancelledError):
            end = {"state": "failed", "error": "it was cancelled", "error_type": "cancelled"}
            if self._closing:
                end = {"state": "pending", "progress": live.job.progress}
        except ValueError as error:
            end = {"state": "failed", "error": str(error), "error_type": "bad_request"}
        except Exception as error:  # a model's fault ends one job, never the thread
            log.exception("a job failed")
            end = {
                "state": "failed",
                "error": f"the model failed: {type(error).__name__}",
                "error_type": "internal_error",
            }
        if end["state"] != "pending":
            self._metrics.jobs.labels(end["state"]).inc()
            end["ended_at"] = time.time()
            for name in ("data", "reference"):
                (live.folder / name).unlink(missing_ok=True)
            shutil.rmtree(live.folder / CHUNKS, ignore_errors=True)
        live.note(**end)
        with self._guard:
            self._live.pop(live.job.id, None)
        live.close()
        live.done.set_result(live.job)

    def _known(self, folder: Path) -> Job | None:
        with self._guard:
            live = self._live.get(folder.name)
        if live is not None and live.folder == folder:
            return live.job
        return _read(folder / "job.json")

    def _forget(self, tenant: str) -> None:
        for job in self.every(tenant):
            if _over(job):
                shutil.rmtree(self._folder / tenant / job.id, ignore_errors=True)


def output_name(kind: str) -> str:
    return "output.mp4" if kind == "video" else "output.png"


def _over(job: Job) -> bool:
    return job.state not in UNFINISHED and time.time() - job.ended_at > KEPT_S


def _read(path: Path) -> Job | None:
    try:
        return Job(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def _give_way() -> None:
    os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICE)

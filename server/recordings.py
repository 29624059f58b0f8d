"""Recordings on the disk: `data/recordings/TENANT/ID.mp4`, with what is known of it in `ID.json` beside it."""

from __future__ import annotations

import asyncio
import errno
import json
import logging
import re
import secrets
import shutil
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import av

from reverie.client.protocol import FromServer, Record, RecordAck, RecordingEnded
from reverie.server.errors import Refused
from reverie.server.journal import Taping
from reverie.server.metrics import Metrics
from reverie.server.recorder import Recorder
from reverie.server.session import Session
from reverie.server.sound import Heard
from reverie.server.timing import seconds

log = logging.getLogger(__name__)
ID = re.compile(r"\d{8}-\d{6}-[0-9a-f]{8}")
MIN_FREE = 500_000_000  # bytes that stay free on the disk
BEFORE = 45  # camera frames that a comparison keeps: 1.5 s
ALIVE_S = 5.0  # without a byte written, and a recording of another process is over
NOTE_S = 1.0  # between looks at limits and at the disk


@dataclass(frozen=True, slots=True)
class Recording:
    """What the API tells of one."""

    id: str
    session: str
    state: str  # recording, done, interrupted (its server ended before it did)
    reason: str  # why it ended: stopped, session_ended, time_limit, size_limit, disk_full, failed
    prompt: str  # the look when it began
    compare: bool
    sound: bool
    began_at: str  # ISO 8601, UTC
    seconds: float
    bytes: int
    width: int
    height: int
    part: int = 1  # of what was cut because a node died; all parts have the same session
    follows: str = ""  # id of the part before


@dataclass(frozen=True, slots=True)
class Limits:
    seconds: int
    bytes: int


class Library:
    """The recordings of all tenants; a tenant's name is a folder's (access.NAME)."""

    def __init__(self, folder: Path, limits: Limits, metrics: Metrics) -> None:
        self._folder, self._limits, self._metrics = folder, limits, metrics
        self._running: dict[str, Work] = {}
        self.ended: Callable[[Recording, str], None] = lambda made, tenant: None  # told of each that ends

    def every(self, tenant: str) -> list[Recording]:
        """Newest first."""
        found = [self._read(path) for path in (self._folder / tenant).glob("*.json") if ID.fullmatch(path.stem)]
        return sorted((each for each in found if each is not None), key=lambda each: each.id, reverse=True)

    def find(self, tenant: str, name: str) -> Recording:
        """Raises: Refused 404."""
        found = self._read(self._folder / tenant / f"{name}.json") if ID.fullmatch(name) else None
        if found is None:
            raise Refused(404, "no_recording", "there is no such recording")
        return found

    def file(self, tenant: str, name: str) -> Path:
        """Raises: Refused 404."""
        return self._folder / tenant / f"{self.find(tenant, name).id}.mp4"

    def delete(self, tenant: str, name: str) -> None:
        """Raises: Refused 404; 409 while it is being made."""
        if self.find(tenant, name).state == "recording":
            raise Refused(409, "still_recording", "this recording is still being made; stop it first")
        for suffix in (".mp4", ".json"):
            (self._folder / tenant / f"{name}{suffix}").unlink(missing_ok=True)

    def start(
        self, session: Session, compare: bool, ended: Callable[[Recording], None] = lambda done: None,
        before: Taping | None = None,
    ) -> Recording:  # fmt: skip
        """Begin; it ends by `stop`, with its session or at a limit.  Raises: Refused 409, 507.

        Args:
            compare: camera on the left, look on the right.
            ended: told once it is done.
            before: the part that this one follows.
        """
        if any(work.session is session for work in self._running.values()):
            raise Refused(409, "already_recording", "this session is being recorded already")
        folder = self._folder / session.tenant
        folder.mkdir(parents=True, exist_ok=True)
        if (free := shutil.disk_usage(folder).free) < MIN_FREE:
            raise Refused(
                507, "disk_full", f"{free // 10**6} MB are free on the disk, {MIN_FREE // 10**6} must stay so"
            )
        now = datetime.now(UTC)
        name = f"{now:%Y%m%d-%H%M%S}-{secrets.token_hex(4)}"
        recording = Recording(
            name, session.id, "recording", "", session.look.name, compare, session.sound.live,
            now.isoformat(timespec="seconds"), 0.0, 0, 0, 0, *((before.part + 1, before.id) if before else ()),
        )  # fmt: skip
        work = Work(folder, recording, session, self._limits)
        work.note()
        self._running[name] = work
        self._metrics.recordings.inc()
        task = asyncio.get_running_loop().create_task(work.run())
        forget = session.output.when_closed(lambda: work.stop("session_ended"))

        def done(task: asyncio.Task[None]) -> None:
            forget()
            del self._running[name]
            self._metrics.recordings.dec()
            ended(work.recording)
            self.ended(work.recording, session.tenant)

        task.add_done_callback(done)
        work.task = task
        return recording

    async def stop(self, tenant: str, name: str, reason: str = "stopped") -> Recording:
        """End one and wait until its file is whole.  One that has ended stays as it is.  Raises: Refused 404."""
        self.find(tenant, name)
        if (work := self._running.get(name)) is not None:
            work.stop(reason)
            await asyncio.wait([work.task])
        return self.find(tenant, name)

    async def obey(self, session: Session, message: Record, send: Callable[[FromServer], None]) -> None:
        """What the client of a session asks for."""
        try:
            if message.on:
                told = lambda done: send(RecordingEnded(done.id, done.seconds, done.reason))
                name = self.start(session, message.compare, told).id
            elif (name := self.of(session) or "") == "":
                raise Refused(409, "not_recording", "this session is not being recorded")
            else:
                await self.stop(session.tenant, name)
        except Refused as refusal:
            return send(RecordAck(False, str(refusal)))
        send(RecordAck(True, None, name))

    def go_on(self, session: Session, before: Taping) -> None:
        """A new part of a recording that another node began."""
        try:
            name = self.start(session, before.compare, before=before).id
        except Refused as refusal:
            return log.warning("the recording %s does not go on: %s", before.id, refusal)
        session.tell(RecordAck(True, None, name))

    def taping(self, session: Session) -> Taping | None:
        """The recording that is being made of a session, for the journal."""
        work = next((each for each in self._running.values() if each.session is session), None)
        return None if work is None else Taping(work.recording.id, work.recording.compare, work.recording.part)

    def of(self, session: Session) -> str | None:
        """The id of the recording that is being made of a session."""
        return next((name for name, work in self._running.items() if work.session is session), None)

    def place(self, session: Session) -> tuple[str, float] | None:
        """The recording that is being made of a session, and how many seconds it has."""
        return next(((name, work.seconds) for name, work in self._running.items() if work.session is session), None)

    async def close(self) -> None:
        for work in (running := tuple(self._running.values())):
            work.stop("session_ended")
        if running:
            await asyncio.wait([work.task for work in running], timeout=5)

    def _read(self, path: Path) -> Recording | None:
        work = self._running.get(path.stem)
        if work is not None and work.session.tenant == path.parent.name:
            return work.recording
        try:
            recording = Recording(**json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None
        if recording.state != "recording" or _is_written(path.with_suffix(".mp4")):
            return recording
        recording = _recovered(recording, path.with_suffix(".mp4"))
        _write(path, recording)
        return recording


class Work:
    """A recording that is being made: the loop's half; the recorder has a thread of its own."""

    task: asyncio.Task[None]

    def __init__(self, folder: Path, recording: Recording, session: Session, limits: Limits) -> None:
        self.recording, self.session = recording, session
        self._folder, self._limits = folder, limits
        self._thread = ThreadPoolExecutor(1, "record")
        self._recorder = Recorder(folder / f"{recording.id}.mp4", recording.sound, recording.compare)
        self._reason = ""
        self._ending = asyncio.Event()
        self._noted = 0.0

    @property
    def seconds(self) -> float:
        return self._recorder.seconds

    def stop(self, reason: str) -> None:
        self._reason = self._reason or reason
        self._ending.set()

    def note(self) -> None:
        """What is known of it, on the disk."""
        _write(self._folder / f"{self.recording.id}.json", self.recording)

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        if self.recording.compare:
            self.session.before = deque(maxlen=BEFORE)
        try:
            await self._record(loop)
        except (OSError, av.FFmpegError, ValueError) as error:
            log.error("recording %s failed: %s", self.recording.id, error)
            self._reason = "disk_full" if getattr(error, "errno", 0) == errno.ENOSPC else "failed"
        finally:
            self.session.before = None
            try:
                await loop.run_in_executor(self._thread, self._recorder.finish)
            except (OSError, av.FFmpegError) as error:
                log.error("recording %s could not be ended: %s", self.recording.id, error)
            self._thread.shutdown(wait=False)
            self._update("done", self._reason)
            self.note()

    async def _record(self, loop: asyncio.AbstractEventLoop) -> None:
        ending = loop.create_task(self._ending.wait())
        with self.session.output.frames() as newest, self.session.sound.kept() as kept:
            while not self._ending.is_set():
                next_frame = loop.create_task(newest.get())
                await asyncio.wait((next_frame, ending), return_when=asyncio.FIRST_COMPLETED)
                if not next_frame.done():
                    next_frame.cancel()
                    break
                frame = next_frame.result()
                sound: list[Heard] = [kept.popleft() for _ in range(len(kept))]
                taken, before = self.session.clock.time(seconds(frame)), self._before(frame)
                await loop.run_in_executor(self._thread, self._recorder.put, frame, taken, sound, before)
                self._check()
        ending.cancel()

    def _before(self, frame: av.VideoFrame) -> av.VideoFrame | None:
        """The camera's picture that a shown one was made from."""
        if not self.session.before:
            return None
        return next((each for each in reversed(self.session.before) if each.pts == frame.pts), None)

    def _check(self) -> None:
        if (now := time.monotonic()) - self._noted < NOTE_S:
            return
        self._noted = now
        self._update("recording", "")
        if self._recorder.seconds >= self._limits.seconds:
            self.stop("time_limit")
        elif self._recorder.bytes >= self._limits.bytes:
            self.stop("size_limit")
        elif shutil.disk_usage(self._folder).free < MIN_FREE:
            self.stop("disk_full")

    def _update(self, state: str, reason: str) -> None:
        made, (width, height) = self._recorder, self._recorder.size
        self.recording = replace(
            self.recording, state=state, reason=reason, seconds=round(made.seconds, 2), bytes=made.bytes,
            width=width, height=height,
        )  # fmt: skip


def _write(path: Path, recording: Recording) -> None:
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(asdict(recording), indent=1), encoding="utf-8")
    partial.replace(path)


def _is_written(path: Path) -> bool:
    """Whether another node of this machine seems to be at it."""
    return path.exists() and time.time() - path.stat().st_mtime < ALIVE_S


def _recovered(recording: Recording, path: Path) -> Recording:
    """What is there of a recording whose server ended before it did; its file is whole but for the last half second."""
    known: dict[str, Any] = {"state": "interrupted", "reason": "server_ended"}
    try:
        known["bytes"] = path.stat().st_size
        with av.open(str(path), format="mp4") as container:
            stream = container.streams.video[0]
            known |= {"width": stream.width, "height": stream.height}
            known["seconds"] = round((container.duration or 0) / av.time_base, 2)
    except (OSError, av.FFmpegError, IndexError):
        pass  # it had not begun
    return replace(recording, **known)

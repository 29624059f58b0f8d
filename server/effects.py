"""Effects of users: their functions change pictures before or after the model, each in a process of its own.

An effect that is late, fails or dies costs the stream nothing but itself: the picture goes on without it, and after
three faults in a row it rests, longer each time.  A process belongs to one session, so sessions never meet in one.
"""

from __future__ import annotations

import json
import mmap
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.metadata import entry_points
from pathlib import Path

import av

from reverie.server.effect_worker import GROUP, SLOT, Picture, picture_at
from reverie.server.metrics import Metrics
from reverie.server.pictures import to_frame, to_rgb
from reverie.server.settings import for_programs

PLACES = ("before", "after")
STRIKES = 3  # faults in a row, then it rests
REST_S, LONGEST_REST_S = 1.0, 30.0
START_S = 30.0  # that its code may take to load
HANGS_S = 2.0  # late by this much, it is ended
FORGIVEN = 100  # good pictures in a row, and the next rest is a short one again


@dataclass(frozen=True, slots=True)
class Spec:
    source: str  # a file, or the name of an entry point
    place: str  # before or after the model

    @property
    def name(self) -> str:
        return Path(self.source).stem


@dataclass(frozen=True, slots=True)
class About:
    """A picture, as effects are told of it."""

    session: str
    prompt: str
    styled: bool
    time_s: float


def parse(text: str) -> Spec:
    """FILE.py or NAME, with :before or :after (which is meant without).  Raises ValueError if there is none."""
    source, colon, place = text.rpartition(":")
    if not colon or place not in PLACES:
        source, place = text, "after"
    if source.endswith(".py"):
        if not Path(source).is_file():
            raise ValueError(f"there is no effect {source!r}; it is a file with `def effect(frame, ctx)`")
        return Spec(str(Path(source).resolve()), place)
    if not entry_points(group=GROUP, name=source):
        there = ", ".join(sorted(each.name for each in entry_points(group=GROUP))) or "none"
        raise ValueError(f"there is no effect {source!r}: neither a .py file nor an entry point of {GROUP} ({there})")
    return Spec(source, place)


@dataclass(frozen=True, slots=True)
class Wanted:
    """The effects that every session of a node gets."""

    specs: tuple[Spec, ...] = ()
    limit_ms: int = 30
    memory_mb: int = 1024

    def at(self, place: str, metrics: Metrics, report: Callable[[str, str], None]) -> list[Effect]:
        """Args: report: called with the name of an effect that begins to rest, and a sentence."""
        return [
            Effect(each, self.limit_ms, self.memory_mb, metrics, lambda reason, each=each: report(each.name, reason))  # type: ignore[misc]
            for each in self.specs
            if each.place == place
        ]


class Effect:
    """One effect of one session.  Lives on one thread, and keeps it no longer than the time of a picture."""

    def __init__(self, spec: Spec, limit_ms: int, memory_mb: int, metrics: Metrics, report: Callable[[str], None]):
        """Args: report: called with a sentence when the effect begins to rest."""
        self.spec, self._limit_ms, self._memory_mb = spec, limit_ms, memory_mb
        self._metrics, self._report = metrics, report
        self._process: subprocess.Popen[bytes] | None = None
        self._memory: mmap.mmap | None = None
        self._wire: socket.socket | None = None
        self._heard = b""
        self._owed_until = 0.0  # an answer is awaited until then; 0 if none is
        self._loading = False
        self._rest_until, self._rests, self._strikes, self._good = 0.0, 0, 0, 0
        self.wants_camera = False

    @property
    def ready(self) -> bool:
        """Whether it can take a picture now; sees to it that it soon can."""
        now = time.monotonic()
        if self._process is None:
            if now >= self._rest_until:
                self._start(now)
            return False
        if not self._owed_until:
            return now >= self._rest_until
        if (answer := self._hear(0.0)) is not None:
            self._take(answer)
        elif now > self._owed_until:
            self._end(f"it did not answer for {START_S if self._loading else HANGS_S:g} s")
        return False

    def apply(self, picture: Picture, about: About, camera: Picture | None) -> bool:
        """Change a picture in place; False leaves it as it was."""
        if not self.ready:
            self._count("resting")
            return False
        assert self._memory is not None and self._wire is not None
        if picture.nbytes > SLOT or (camera is not None and camera.nbytes > SLOT):
            self._strike(f"pictures of {picture.shape[1]}x{picture.shape[0]} are too large for effects", "failed")
            return False
        shared = picture_at(self._memory, 0, picture.shape)  # type: ignore[arg-type]
        shared[:] = picture
        if camera is not None:
            picture_at(self._memory, 1, camera.shape)[:] = camera  # type: ignore[arg-type]
        asked = asdict(about) | {"shape": picture.shape, "camera": None if camera is None else camera.shape}
        self._owed_until = time.monotonic() + HANGS_S
        try:
            self._wire.sendall(json.dumps(asked).encode() + b"\n")
        except OSError:
            self._end("its process ended")
            return False
        answer = self._hear(self._limit_ms / 1000)
        if answer is None:
            if self._process is not None:
                self._strike(f"it took longer than {self._limit_ms} ms", "late")
            return False
        if not self._take(answer):
            return False
        picture[:] = shared
        self._count("done")
        self._strikes, self._good = 0, self._good + 1
        if self._good == FORGIVEN:
            self._rests = 0
        return True

    def close(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
        if self._wire is not None:
            self._wire.close()
            self._wire = None

    def _start(self, now: float) -> None:
        ours, theirs = socket.socketpair()
        shared = os.memfd_create("reverie-effect")
        os.ftruncate(shared, 2 * SLOT)
        words = (str(theirs.fileno()), str(shared), str(self._memory_mb), self.spec.source)
        command = [sys.executable, "-m", "reverie.server.effect_worker", *words]
        self._process = subprocess.Popen(
            command, pass_fds=(theirs.fileno(), shared), stdin=subprocess.DEVNULL, stdout=sys.stderr.fileno(),
            env=for_programs() | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
        )  # fmt: skip
        theirs.close()
        self._memory = mmap.mmap(shared, 2 * SLOT)
        os.close(shared)
        self._wire, self._heard, self._loading, self._owed_until = ours, b"", True, now + START_S

    def _hear(self, wait_s: float) -> dict[str, object] | None:
        """The next answer, if it comes in time; ends the effect if none can come any more."""
        assert self._wire is not None
        ends = time.monotonic() + wait_s
        while b"\n" not in self._heard:
            self._wire.settimeout(max(0.0, ends - time.monotonic()))
            try:
                heard = self._wire.recv(4096)
            except (TimeoutError, BlockingIOError):
                return None
            except OSError:
                heard = b""
            if not heard:
                self._end("its process ended")
                return None
            self._heard += heard
        line, _, self._heard = self._heard.partition(b"\n")
        self._wire.settimeout(None)
        return dict(json.loads(line))

    def _take(self, answer: dict[str, object]) -> bool:
        """Whether an answer is a good one."""
        loading, self._loading, self._owed_until = self._loading, False, 0.0
        if reason := answer.get("fault"):
            self._end(str(reason)) if loading else self._strike(str(reason), "failed")
            return False
        if loading:
            self.wants_camera = bool(answer.get("wants_camera"))
        return True

    def _strike(self, reason: str, outcome: str) -> None:
        self._count(outcome)
        self._strikes += 1
        if self._strikes >= STRIKES:
            self._rest(reason)

    def _end(self, reason: str) -> None:
        self._count("crashed")
        self.close()
        self._owed_until = 0.0
        self._rest(reason)

    def _rest(self, reason: str) -> None:
        rest_s = min(LONGEST_REST_S, REST_S * 2**self._rests)
        self._rest_until = time.monotonic() + rest_s
        self._rests, self._strikes, self._good = self._rests + 1, 0, 0
        self._report(f"{reason}; it is left out for {rest_s:g} s")

    def _count(self, outcome: str) -> None:
        self._metrics.effects.labels(self.spec.name, outcome).inc()


def through(effects: list[Effect], frame: av.VideoFrame, about: About, camera: av.VideoFrame | None) -> av.VideoFrame:
    """A frame after all effects, with its time; the frame itself if none of them had a hand in it."""
    able = [each for each in effects if each.ready]
    for each in effects:
        if each not in able:
            each._count("resting")
    if not able:
        return frame
    picture = to_rgb(frame)
    seen = to_rgb(camera) if camera is not None and any(each.wants_camera for each in able) else None
    changed = [each.apply(picture, about, seen if each.wants_camera else None) for each in able]
    if not any(changed):
        return frame
    shown = to_frame(picture)
    shown.pts, shown.time_base = frame.pts, frame.time_base
    return shown

"""One thread per device: it steps the streams of all sessions in turn, always on the newest frame."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

import av

from reverie.models.stream import StreamModel
from reverie.server.metrics import Metrics
from reverie.server.pictures import resize, to_frame, to_rgb
from reverie.server.sizing import render_size
from reverie.server.upscale import upscale

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Look:
    """What a session wants to see."""

    prompt: str = ""
    seed: int = 0
    strength: float = 1.0


@dataclass(frozen=True, slots=True)
class Shot:
    """A camera frame with its times as they were when it came: an encoder that is given the frame changes them."""

    frame: av.VideoFrame
    pts: int | None
    time_base: Fraction | None
    decoded_at: float  # time.monotonic()


class Feed:
    """One session's place at the engine: the newest frame, the look wanted, where the answer goes."""

    def __init__(
        self, stream: StreamModel, deliver: Callable[[av.VideoFrame, int], None], failed: Callable[[str], None]
    ) -> None:
        """Args: deliver, failed: called on the engine's thread with a styled frame and its step, or with a sentence."""
        self.stream, self.deliver, self.failed = stream, deliver, failed
        self.steps = 0
        self.look: Look | None = None  # to take on before the next frame
        self.frame: Shot | None = None


class Engine:
    """Owner of a device."""

    def __init__(self, metrics: Metrics) -> None:
        self.metrics = metrics
        self._feeds: deque[Feed] = deque()  # the next to be served first
        self._wake = threading.Condition()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)
        self._thread.start()

    def add(self, feed: Feed) -> None:
        with self._wake:
            self._feeds.append(feed)

    def remove(self, feed: Feed) -> None:
        with self._wake:
            if feed in self._feeds:
                self._feeds.remove(feed)

    def take_on(self, feed: Feed, look: Look) -> None:
        """The look of the feed's next frame.  Locked: the engine may be taking the one before at this moment."""
        with self._wake:
            feed.look = look

    def put(self, feed: Feed, frame: av.VideoFrame) -> None:
        """Offer a camera frame; a newer one replaces it if the device is busy."""
        with self._wake:
            if feed.frame is not None:
                self.metrics.dropped.labels("model").inc()
            feed.frame = Shot(frame, frame.pts, frame.time_base, time.monotonic())
            self._wake.notify()

    def stop(self, timeout_s: float = 2.0) -> None:
        with self._wake:
            self._stopping = True
            self._wake.notify()
        self._thread.join(timeout_s)

    def _next(self) -> tuple[Feed, Shot, Look | None] | None:
        """Wait for the next feed, in turn, that has a frame; None to stop."""
        with self._wake:
            while not self._stopping:
                for _ in range(len(self._feeds)):
                    feed = self._feeds[0]
                    self._feeds.rotate(-1)
                    if feed.frame is not None:
                        shot, feed.frame = feed.frame, None
                        look, feed.look = feed.look, None
                        return feed, shot, look
                self._wake.wait()
        return None

    def _run(self) -> None:
        while (work := self._next()) is not None:
            feed, shot, look = work
            try:
                styled = self._step(feed, shot, look)
            except Exception as error:  # a model's fault ends one session's styling, never the process
                log.exception("a model step failed")
                self.metrics.errors.inc()
                self.remove(feed)
                feed.failed(f"the model failed: {type(error).__name__}")
            else:
                self.metrics.age_s.observe(time.monotonic() - shot.decoded_at)
                feed.deliver(styled, feed.steps)

    def _step(self, feed: Feed, shot: Shot, look: Look | None) -> av.VideoFrame:
        if look is not None:
            feed.stream.start(look.prompt, look.seed, look.strength)
        source = to_rgb(shot.frame)
        small = resize(source, *render_size(shot.frame.width, shot.frame.height))
        began = time.monotonic()
        styled = feed.stream.step(small[None])[0]
        self.metrics.step_s.observe(time.monotonic() - began)
        self.metrics.steps.inc()
        feed.steps += 1
        shown = to_frame(upscale(styled, source))
        shown.pts, shown.time_base = shot.pts, shot.time_base
        return shown

"""One thread per device: it steps the streams of all sessions in turn, always on the newest frame."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction

import av

from reverie.models.blend import CAMERA, Blend, Fade
from reverie.models.stream import StreamModel
from reverie.server.metrics import Metrics
from reverie.server.pictures import Picture, resize, to_frame, to_rgb
from reverie.server.segment import Outline, Segmenter, compose
from reverie.server.sizing import render_size
from reverie.server.upscale import upscale
from reverie.server.watermark import mark

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Look:
    """What a session wants to see."""

    name: str = ""  # what the client called it
    blend: Blend = CAMERA
    seed: int = 0
    strength: float = 1.0
    transition_s: float = 0.0  # from the look before to this one
    mask: str = "none"  # none, subject or background: where it is

    @property
    def styled(self) -> bool:
        return self.blend != CAMERA


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
        self.took_ms: deque[float] = deque(maxlen=30)  # the last steps
        self.size = (0, 0)  # width and height that the model paints
        self.look: Look | None = None  # to take on before the next frame
        self.frame: Shot | None = None
        self._worn: Blend = CAMERA
        self._taken: Look | None = None
        self._fade: Fade | None = None
        self._outline: Outline | None = None

    def want(self, look: Look) -> None:
        """The look of the next frame; while the camera is shown, that is what a transition begins with."""
        self.look = look
        if not look.styled:
            self._worn, self._fade = CAMERA, None

    def dress(self, look: Look | None, now: float) -> None:
        """Give the stream the look of a frame at a time, in seconds.  Only the end of a transition forgets the past."""
        if look is not None:
            before, self._taken = self._taken, look
            if before is not None and replace(before, mask=look.mask, transition_s=look.transition_s) == look:
                look = None  # only the mask is another: the stream goes on
        if look is not None:
            if self._fade is None or look.transition_s or look.blend != self._fade.new:
                self._fade = Fade(self._worn, look.blend, now, look.transition_s)
            if before is None or (before.seed, before.strength) != (look.seed, look.strength):
                self.stream.start(self._worn, look.seed, look.strength)
        if self._fade is None or self._taken is None:
            return
        self._worn = self._fade.at(now)
        if self._worn == self._fade.new:
            self._fade = None
            self.stream.start(self._worn, self._taken.seed, self._taken.strength)
        else:
            self.stream.wear(self._worn)

    def masked(self, picture: Picture, source: Picture, segmenter: Segmenter | None) -> Picture:
        """The look only where it is wanted.  Args: segmenter: None shows it everywhere."""
        mask = self._taken.mask if self._taken is not None else "none"
        if mask == "none" or segmenter is None:
            self._outline = None
            return picture
        self._outline = self._outline or Outline(segmenter)
        return compose(picture, source, self._outline.next(source), mask)


class Engine:
    """Owner of a device."""

    def __init__(self, metrics: Metrics, watermark: str = "", segmenter: Segmenter | None = None) -> None:
        """Args: watermark: words in the corner of every styled frame.  segmenter: finds people, for masks."""
        self.metrics, self.segmenter, self._watermark = metrics, segmenter, watermark
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
            feed.want(look)

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
        feed.dress(look, shot.decoded_at)
        source = to_rgb(shot.frame)
        small = resize(source, *render_size(shot.frame.width, shot.frame.height))
        began = time.monotonic()
        styled = feed.stream.step(small[None])[0]
        took = time.monotonic() - began
        self.metrics.step_s.observe(took)
        feed.took_ms.append(took * 1000)
        feed.size = small.shape[1], small.shape[0]
        self.metrics.steps.inc()
        feed.steps += 1
        picture = feed.masked(upscale(styled, source), source, self.segmenter)
        mark(picture, self._watermark)
        shown = to_frame(picture)
        shown.pts, shown.time_base = shot.pts, shot.time_base
        return shown

"""One thread per device: it steps all sessions' streams, those that wait together, always on the newest frame."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from typing import Any, TypeVar

import av
import numpy as np
from numpy.typing import NDArray

from reverie.models.blend import CAMERA, Blend, Fade
from reverie.models.stream import Continuous, Sighted, StreamModel
from reverie.server.ladder import Ladder
from reverie.server.metrics import Metrics
from reverie.server.pictures import Picture, to_frame
from reverie.server.planes import Planes
from reverie.server.recall import Recall
from reverie.server.rendering import Rendering
from reverie.server.segment import Outline, Segmenter, compose
from reverie.server.upscale import upscale
from reverie.server.watermark import mark

log = logging.getLogger(__name__)
T = TypeVar("T")
SCENE_EVERY_S = 1.0  # what the encoder saw is kept this often

TOGETHER = 8  # sessions' frames in one launch, at most


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
        self.tier = "standard"  # flex frames are made only while no other waits
        self.steps = 0
        self.took_ms: deque[float] = deque(maxlen=30)  # the last steps
        self.size = (0, 0)  # width and height that the model paints
        self.camera = (0, 0)  # of the pictures that it was chosen for
        self.look: Look | None = None  # to take on before the next frame
        self.frame: Shot | None = None
        self.recall: Recall | None = None  # where what the stream sees is kept for another node
        self.lead: list[Picture] = []  # to be painted first: what the stream of another node recalled
        self.scene: NDArray[np.float32] | None = None  # what the encoder saw about a second ago
        self._scene_at = 0.0
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
                self._begin(look)
        if self._fade is None or self._taken is None:
            return
        self._worn = self._fade.at(now)
        if self._worn == self._fade.new:
            goes_on = isinstance(self.stream, Continuous) and self._fade.old != CAMERA
            self._fade = None
            if goes_on:
                self.stream.wear(self._worn)
            else:
                self._begin(self._taken)
        else:
            self.stream.wear(self._worn)

    def _begin(self, look: Look) -> None:
        self.stream.start(self._worn, look.seed, look.strength)
        if self.recall is not None:
            self.recall.forget()

    def led(self, picture: Picture) -> None:
        """Paint what leads to a picture, if it is of its size, and keep the picture for who goes on after us."""
        lead, self.lead = self.lead, []
        if lead and lead[0].shape == picture.shape:
            self.stream.step(np.stack(lead))
        if self.recall is not None:
            for each in (*lead, picture):
                self.recall.note(each)

    def see(self, now: float) -> None:
        """Keep what the stream's encoder saw, for the scene note."""
        if now - self._scene_at >= SCENE_EVERY_S and isinstance(self.stream, Sighted):
            self.scene, self._scene_at = self.stream.scene(), now

    def masked(self, segmenter: Segmenter | None) -> bool:
        """Whether the look is only wanted in a part of the picture, and that can be told."""
        masked = segmenter is not None and self._taken is not None and self._taken.mask != "none"
        if not masked:
            self._outline = None
        return masked

    def compose(self, picture: Picture, source: Picture, segmenter: Segmenter) -> Picture:
        """The look only where it is wanted."""
        assert self._taken is not None
        self._outline = self._outline or Outline(segmenter)
        return compose(picture, source, self._outline.next(source), self._taken.mask)


@dataclass(frozen=True, slots=True)
class Work:
    """A frame to be made, and the look to take on before it."""

    feed: Feed
    shot: Shot
    look: Look | None


class Engine:
    """Owner of a device."""

    def __init__(
        self, metrics: Metrics, watermark: str = "", segmenter: Segmenter | None = None, ladder: Ladder | None = None
    ) -> None:
        """
        Args:
            watermark: words in the corner of every styled frame.
            segmenter: finds people, for masks.
            ladder: how well it may paint; None follows the machine.
        """
        self.metrics, self.segmenter, self._watermark = metrics, segmenter, watermark
        self.rendering = Rendering(ladder or Ladder(), metrics)
        self._feeds: deque[Feed] = deque()  # the next to be served first
        self._idle: deque[tuple[Future[Any], Callable[[], Any]]] = deque()  # what waits until no feed has a frame
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

    def when_idle(self, work: Callable[[], T]) -> Future[T]:
        """Do something with the device once no session has a frame for it.  Cancelled if the engine stops first."""
        future: Future[T] = Future()
        with self._wake:
            if self._stopping:
                future.cancel()
            else:
                self._idle.append((future, work))
                self._wake.notify()
        return future

    def stop(self, timeout_s: float = 2.0) -> None:
        with self._wake:
            self._stopping = True
            for future, _ in self._idle:
                future.cancel()
            self._wake.notify()
        self._thread.join(timeout_s)
        self.rendering.stop()

    def _next(self) -> Callable[[], None] | None:
        """Wait until a feed has a frame: that one, in turn, and others of its model that have one too; None to stop.

        While no feed has one, what waits behind them is done.
        """
        with self._wake:
            while not self._stopping:
                waiting = [feed for feed in self._feeds if feed.frame is not None]
                live = [feed for feed in waiting if feed.tier != "flex"]
                waiting = sorted(live or waiting, key=lambda feed: feed.tier != "priority")  # and in turn
                together = [feed for feed in waiting if feed.stream.model is waiting[0].stream.model][:TOGETHER]
                if together:
                    return partial(self._serve, [self._taken(feed) for feed in together])
                if self._idle:
                    return partial(_settle, *self._idle.popleft())
                self._wake.wait()
        return None

    def _taken(self, feed: Feed) -> Work:
        """The feed's frame and look; its next turn comes after everybody else's."""
        self._feeds.remove(feed)
        self._feeds.append(feed)
        assert feed.frame is not None
        work = Work(feed, feed.frame, feed.look)
        feed.frame = feed.look = None
        return work

    def _run(self) -> None:
        while (turn := self._next()) is not None:
            turn()

    def _serve(self, works: list[Work]) -> None:
        began = time.monotonic()
        sources: list[Planes] = []
        ready: list[Work] = []
        for work in works:
            with self._fault_of(work):
                sources.append(_source(work))
                ready.append(work)
        if ready:
            with self._fault_of(*ready):
                self._step(ready, sources)
                self.rendering.took([work.feed for work in ready], time.monotonic() - began)

    @contextmanager
    def _fault_of(self, *works: Work) -> Iterator[None]:
        """A model's fault ends the styling of the sessions it belongs to, never the process."""
        try:
            yield
        except Exception as error:
            log.exception("a model step failed")
            self.metrics.errors.inc()
            for work in works:
                self.remove(work.feed)
                work.feed.failed(f"the model failed: {type(error).__name__}")

    def _step(self, works: list[Work], sources: list[Planes]) -> None:
        """All of them together, in one launch where the model can."""
        sizes = [self.rendering.size(work.feed, (work.shot.frame.width, work.shot.frame.height)) for work in works]
        small = [source.small(*size) for source, size in zip(sources, sizes, strict=True)]
        for work, picture in zip(works, small, strict=True):
            with self._fault_of(work):
                work.feed.led(picture)
        began = time.monotonic()
        for place, styled in works[0].feed.stream.model.step_many([work.feed.stream for work in works], small):
            with self._fault_of(works[place]):
                if isinstance(styled, Exception):
                    raise styled
                self._show(works[place], sources[place], styled, time.monotonic() - began)

    def _show(self, work: Work, source: Planes, styled: Picture, took_s: float) -> None:
        feed, shot = work.feed, work.shot
        feed.see(time.monotonic())
        self.metrics.step_s.observe(took_s)
        feed.took_ms.append(took_s * 1000)
        feed.size = styled.shape[1], styled.shape[0]
        self.metrics.steps.inc()
        feed.steps += 1
        shown = self._finished(feed, source, styled)
        shown.pts, shown.time_base = shot.pts, shot.time_base
        self.metrics.age_s.observe(time.monotonic() - shot.decoded_at)
        feed.deliver(shown, feed.steps)

    def _finished(self, feed: Feed, source: Planes, styled: Picture) -> av.VideoFrame:
        """As it is shown: at the source's size, only where it is wanted, and marked."""
        masked = feed.masked(self.segmenter)
        if not masked and not self._watermark:
            return source.frame(styled)
        picture = upscale(styled, source.rgb)
        if masked:
            assert self.segmenter is not None
            picture = feed.compose(picture, source.rgb, self.segmenter)
        mark(picture, self._watermark)
        return to_frame(picture)


def _source(work: Work) -> Planes:
    """The camera's picture; the feed's stream has the look of its time then."""
    work.feed.dress(work.look, work.shot.decoded_at)
    return Planes(work.shot.frame)


def _settle(future: Future[T], work: Callable[[], T]) -> None:
    """Its fault is its owner's, never the thread's."""
    if not future.set_running_or_notify_cancel():
        return
    try:
        future.set_result(work())
    except Exception as error:
        future.set_exception(error)

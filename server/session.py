"""One client's visit: the look it wants, and what its picture shows at each moment."""

from __future__ import annotations

import asyncio
import logging
import statistics
import time
import uuid
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import replace
from typing import Any

import av
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack

from reverie.client.protocol import (
    EffectSkipped,
    Failure,
    FromServer,
    GenerationEnded,
    GenerationStarted,
    GenerationTick,
    Part,
    PromptEnhanced,
)  # fmt: skip
from reverie.models.blend import blend
from reverie.models.stream import Model
from reverie.server.chain import Chain
from reverie.server.effects import About, Wanted
from reverie.server.engine import Engine, Feed, Look
from reverie.server.errors import NoMasks
from reverie.server.metrics import Metrics
from reverie.server.output import Output
from reverie.server.pictures import Picture
from reverie.server.placement import Holder
from reverie.server.prompt_reader import PromptReader
from reverie.server.recall import Recall
from reverie.server.scene import Scene
from reverie.server.screen import Screen
from reverie.server.sound import Sound
from reverie.server.standing import Standing
from reverie.server.timing import SourceClock, seconds

log = logging.getLogger(__name__)


class Session:
    """Owner of a feed at the engine and of what is shown.  Lives on the event loop.

    Who has the camera (a peer connection, WHIP) gives its tracks to `take`; who wants the picture or the sound takes
    them from `output` and `sound`.
    """

    def __init__(
        self, model: Model, engine: Engine, metrics: Metrics, words: Executor,
        denied: Callable[[str], bool], send: Callable[[FromServer], None], effects: Wanted = Wanted(),
    ) -> None:  # fmt: skip
        """
        Args:
            words: where prompts are read.
            denied: whether one is not allowed.
            send: queues a message to the client; never waits, never raises.
        """
        self.id = uuid.uuid4().hex
        self.holder = Holder("local")  # whose it is
        self._behind = False
        self.visitor: object = None  # by what its client is known again
        self.camera_at = 0.0  # time.monotonic() of the last picture from the camera
        self.fps = self.minutes = 0  # limits of its tenant: styled frames in a second, minutes a day; 0 is none
        self._put_at = float("-inf")  # when the last styled frame was taken, by the camera's clock
        self.over = asyncio.Event()  # set to end the session from this side
        self.ending = "disconnect"  # why it ends, once it does
        self.counts_camera = False  # whether generation begins with the first picture of any kind, as Decart's does
        self.clock = SourceClock()  # of the camera
        self.output, self.sound = Output(metrics, self.clock), Sound()
        self.scene = Scene(model, words, metrics, lambda: engine.rendering.ladder.busy)  # what the camera shows
        self.camera_frame: av.VideoFrame | None = None  # the newest, for who compares
        self.before: deque[av.VideoFrame] | None = None  # the last camera frames, where somebody compares
        self._model, self._engine, self._metrics = model, engine, metrics
        self._reader, self._send = PromptReader(model, metrics, words, denied), send
        self._loop = asyncio.get_running_loop()
        self._look = Look()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._looking: asyncio.Task[Any] | None = None  # makes the scene note
        self._feed: Feed | None = None
        self.recall: Recall | None = None  # what the stream sees, where another node may have to go on
        self.lead: list[Picture] = []  # what the stream of another node saw, for ours to begin with
        skipped = self._from_engine(self._on_skipped)
        self._newest: av.VideoFrame | None = None  # of the camera, where an effect may want it
        self._before_model = Chain(effects.at("before", metrics, skipped), metrics, self._camera)
        after = effects.at("after", metrics, skipped)
        self.screen = Screen(self.output, self.sound, self.clock, after, metrics, send)
        self._styled = 0  # frames shown
        self._standing = Standing()
        self._started_at: float | None = None
        self._closed = False

    def tell(self, message: FromServer) -> None:
        """The client, if it listens."""
        self._send(message)

    def stand_back(self, behind: bool) -> None:
        """Its place was lent; while its owner has it, this session's frames are made when no other waits."""
        self._behind = behind
        if self._feed is not None:
            self._feed.tier = self._tier

    @property
    def _tier(self) -> str:
        return "flex" if self._behind else self.holder.tier

    @property
    def tenant(self) -> str:
        return self.holder.tenant

    @property
    def look(self) -> Look:
        """What is wanted now."""
        return self._look

    @property
    def state(self) -> str:
        """What is shown now, as the last `status` said; "" before the first frame."""
        return self._standing.state

    async def set_prompt(
        self, prompt: str, enhance: bool = False, parts: Sequence[Part] = (), transition_s: float = 0.0,
        mask: str | None = None,
    ) -> None:  # fmt: skip
        """Take on a look as soon as the LLM has read it; "" is no look.  With `enhance` the raw one comes first.

        Args:
            parts: of a blend, whose name is `prompt`.
            transition_s: seconds from the look before to this one.
            mask: where it is; None leaves it as it was.
        Raises: PromptDenied, BadPrompt, NoMasks; the look stays as it was.
        """
        self._check_mask(mask)
        look = await self._reader.read(prompt, parts)
        if look is None:
            return  # a newer one is being read
        mask = mask or self._look.mask
        self._apply(replace(self._look, name=prompt, blend=look, transition_s=transition_s, mask=mask))
        if enhance and not parts and self._look.styled:
            self._start(self._enhance(self.scene.fitted(prompt), self._reader.wishes))

    def _check_mask(self, mask: str | None) -> None:
        if mask not in (None, "none") and self._engine.segmenter is None:
            raise NoMasks

    def change(self, strength: float | None, seed: int | None, mask: str | None = None) -> None:
        """Raises: NoMasks."""
        self._check_mask(mask)
        look = self._look
        self._apply(
            replace(
                look,
                strength=look.strength if strength is None else strength,
                seed=look.seed if seed is None else seed,
                transition_s=0.0,
                mask=mask or look.mask,
            )
        )

    def take(self, track: MediaStreamTrack) -> None:
        """Camera or sound, from now until the track ends."""
        if track.kind == "video":
            self.screen.another_camera()
        self._start(self._watch(track) if track.kind == "video" else self.sound.feed(track))

    def media_failed(self) -> None:
        """The connection of the camera is lost."""
        self._send(Failure("the media connection failed; connect again", "media_failed"))
        self.end("error")

    def end(self, reason: str) -> None:
        """From this side: the client is told why."""
        self.ending = reason
        self.over.set()

    async def close(self, reason: str) -> None:
        """Hang up; the client is told how long it was served and why it ends."""
        self._closed = True
        if self._started_at is not None:
            self._send(GenerationEnded(int(time.monotonic() - self._started_at), reason))
            self._started_at = None
        if self._feed is not None:
            self._engine.remove(self._feed)
            self._feed = None
        for task in self._tasks:
            task.cancel()
        self._before_model.close()
        self.screen.close()

    def _apply(self, look: Look) -> None:
        """Hand a look to the engine.  After a crash, a new look is a new try with a new stream."""
        if self._closed:
            return
        if not self._look.styled:
            self._standing.begin()
        self._look = look
        self._standing.crashed = ""
        if look.styled and self._feed is None:
            self._feed = Feed(
                self._model.stream(), self._from_engine(self._on_styled), self._from_engine(self._on_crash)
            )
            self._feed.tier, self._feed.recall = self._tier, self.recall
            self._feed.lead, self.lead = self.lead, []
            self._engine.add(self._feed)
            self._standing.begin()
        if self._feed is not None:
            self._engine.take_on(self._feed, look)
        self._note()

    def _from_engine(self, call: Callable[..., None]) -> Callable[..., None]:
        """The engine's thread hands its news to the loop."""

        def hand_over(*news: Any) -> None:
            if not self._loop.is_closed():
                self._loop.call_soon_threadsafe(call, *news)

        return hand_over

    async def _enhance(self, prompt: str, wish: int) -> None:
        try:
            rich = await self._reader.enhance(prompt, wish)
        except (ValueError, OSError, RuntimeError) as error:  # of an LLM that cannot go on
            log.warning("the LLM made no richer prompt: %s", error)
            return
        if rich:
            self._apply(replace(self._look, name=rich, blend=blend(rich)))
            self._send(PromptEnhanced(rich))

    def _start(self, work: Any) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _watch(self, track: MediaStreamTrack) -> None:
        """Every camera frame, as it comes: to the engine, or out as it is."""
        try:
            while True:
                frame = await track.recv()
                assert isinstance(frame, av.VideoFrame)
                self._metrics.frames_in.inc()
                self.camera(frame)
        except MediaStreamError:
            return

    def _look_at(self, frame: av.VideoFrame) -> None:
        """For the scene note, which begins with the first picture."""
        self.scene.camera(frame)
        if self._looking is None:
            self._looking = self._loop.create_task(self.scene.run(lambda: self._feed.scene if self._feed else None))
            self._tasks.add(self._looking)

    def camera(self, frame: av.VideoFrame) -> None:
        """A camera frame, with its pts."""
        self.camera_at = time.monotonic()
        self.clock.arrived(seconds(frame), self.camera_at)
        self._before_model.put(frame, self._about(frame, False), None)

    def _camera(self, frame: av.VideoFrame) -> None:
        if self._closed:
            return
        self._newest = frame
        self.camera_frame = frame
        self._look_at(frame)
        if self.before is not None:
            self.before.append(frame)
        styling = self._feed is not None and self._look.styled and not self._standing.crashed
        if styling and self._may_style(frame):
            assert self._feed is not None
            self._engine.put(self._feed, frame)
        if not styling or self._standing.late:
            shown = self._show(frame, 0)
            if shown and self.counts_camera:
                self._begin()
        self._note()

    def _may_style(self, frame: av.VideoFrame) -> bool:
        """Whether a frame is one of the few that a tenant with a limit may have styled in a second."""
        if not self.fps:
            return True
        at = seconds(frame)
        if 0 <= at - self._put_at < 0.95 / self.fps:
            return False
        self._put_at = at
        return True

    def _on_styled(self, frame: av.VideoFrame, step: int) -> None:
        if self._closed or not self._look.styled:
            return  # hung up, or the look was taken off, while this frame was made
        self._standing.made(self.screen.lag_s(frame))
        shown = self._show(frame, step)
        self._styled += shown
        if shown:
            self._begin()
        self._note()

    def _begin(self) -> None:
        """Of generation: from now on time is counted."""
        if self._started_at is None:
            self._started_at = time.monotonic()
            self._send(GenerationStarted())
            self._start(self._tick())

    def _on_crash(self, reason: str) -> None:
        if self._closed:
            return
        self._standing.crashed, self._feed = reason, None
        self._metrics.stalls.labels("crashed").inc()
        self._note()

    def _show(self, frame: av.VideoFrame, step: int) -> bool:
        """Whether it is shown.  Args: step: of the model, 0 for a picture of the camera."""
        return self.screen.show(frame, step, self._about(frame, step > 0), self._newest)

    def _about(self, frame: av.VideoFrame, styled: bool) -> About:
        return About(self.id, self._look.name, styled, seconds(frame))

    def _on_skipped(self, effect: str, reason: str) -> None:
        log.warning("the effect %s is left out: %s", effect, reason)
        if not self._closed:
            self._send(EffectSkipped(effect, reason))

    def _note(self) -> None:
        """Tell the client when what is shown changes, and why."""
        limited: str = getattr(self._model, "limited", "")  # of models that ran out of memory
        if news := self._standing.news(self._look, self.screen.hidden, self._behind, limited):
            if news.state in ("stalled", "hidden"):
                self._metrics.stalls.labels(news.state).inc()
            self._send(news)

    async def _tick(self) -> None:
        seconds = 0
        while True:
            before = self._styled
            await asyncio.sleep(1)
            seconds += 1
            fps = self._styled - before
            if (feed := self._feed) is None:
                self._send(GenerationTick(seconds, fps=fps))
                continue
            step_ms = round(statistics.median(tuple(feed.took_ms) or (0.0,)), 2)
            self._send(GenerationTick(seconds, round(feed.stream.work_saved, 3), fps, step_ms, *feed.size))

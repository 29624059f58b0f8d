"""A live session from Python: frames go in, restyled frames come out."""

from __future__ import annotations

import asyncio
import statistics
import time
import uuid
from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace

import av
from aiortc.contrib.media import MediaRelay
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack

from reverie.client.errors import BadSource, ConnectionLost, ReverieError
from reverie.client.link import IceServers, Link, link
from reverie.client.protocol import (
    ChangeSettings,
    FrameShown,
    FromServer,
    GenerationTick,
    Nodes,
    Part,
    Prompt,
    Record,
    RecordAck,
    SetImage,
    Status,
)  # fmt: skip
from reverie.client.received import Connected, Event, Frame, Newest, Reconnecting, Stats
from reverie.client.tracks import CLOCK, Counted, Output

FIRST_WAIT_S, LONGEST_WAIT_S = 0.25, 4.0  # between tries to connect again
SOUND_KEPT = 100  # frames of sound that wait to be taken from `Session.sound`; then the oldest is lost
QUIET_S = 1.0  # without a frame after the source has ended, and no more will come
TOLD_S = 0.1  # that a frame waits for word of its step


@dataclass
class _Look:
    settings: ChangeSettings
    prompt: Prompt | None = None


class Session:
    """Made by `connect`.  Iterate it for frames, or take `track`; not both for the same frames."""

    def __init__(
        self, camera: Counted, microphone: MediaStreamTrack | None, where: tuple[str, str, str, IceServers, str, str],
        settings: ChangeSettings, reconnect: bool,
    ) -> None:  # fmt: skip
        self._camera, self._microphone, self._where, self._again = camera, microphone, where, reconnect
        self._relay, self._look = MediaRelay(), _Look(settings)
        self._link: Link | None = None
        self.sound: asyncio.Queue[av.AudioFrame] = asyncio.Queue(SOUND_KEPT)
        self._newest = Newest()
        self._track: Output | None = None
        self._steps: dict[int, int] = {}
        self._stepped, self._words_late = asyncio.Event(), False
        self._events: asyncio.Queue[Event] = asyncio.Queue(256)
        self._arrivals: deque[tuple[float, float]] = deque(maxlen=100)
        self._received = self._reconnects = 0
        self._recording = ""
        self._id = uuid.uuid4().hex  # of the session, at whatever node
        self._urls = [where[0]]  # of the nodes that may have it, the next to be tried first
        self._status, self._tick = "", None  # type: str, GenerationTick | None
        self._watching: asyncio.Task[None] | None = None
        self._listening: asyncio.Task[None] | None = None

    # looks

    async def set_prompt(
        self, prompt: str, *, blend: Mapping[str, float] | None = None, transition_s: float = 0.0,
        enhance: bool = False, mask: str | None = None,
    ) -> None:  # fmt: skip
        """Another look; returns when the server has it.  "" shows the camera.

        Args:
            blend: prompts with weights, mixed; `prompt` is then only their name.
            transition_s: 0 to 10, seconds from the look before to this one.
            enhance: let the server's LLM enrich the prompt; the raw one is shown first.
            mask: "subject" or "background" puts the look there only, "none" everywhere; None leaves it.
        Raises: BadRequest with the server's words; ConnectionLost if there is no connection and none is tried again.
        """
        parts = tuple(Part(each, weight) for each, weight in (blend or {}).items())
        self._look.prompt = Prompt(prompt, enhance, parts, transition_s, mask)
        if self._link is not None:
            await self._send_prompt(self._link, self._look.prompt)

    async def set(
        self, *, strength: float | None = None, seed: int | None = None, mask: str | None = None,
        index: bool | None = None,
    ) -> None:  # fmt: skip
        """strength 0..1: 0 is the camera, 1 the look alone.  seed: 0..2**32-1.  mask, raises: as set_prompt.

        Args: index: whether the server keeps moments of this session, to be found by `search`.
        """
        now = self._look.settings
        if mask is not None and self._look.prompt is not None:
            self._look.prompt = replace(self._look.prompt, mask=None)  # the later word counts, also after a reconnect
        self._look.settings = ChangeSettings(
            now.strength if strength is None else strength,
            now.seed if seed is None else seed,
            True,
            now.mask if mask is None else mask,
            now.index if index is None else index,
        )
        if self._link is not None:
            await self._link.ask(self._look.settings)

    async def record(self, on: bool = True, *, compare: bool = False) -> str:
        """Begin or end a recording on the server; its id, for /v1/recordings.  When it ends, its file is whole.

        Args: compare: camera on the left, look on the right.
        Raises: BadRequest if the server will not; ConnectionLost.
        """
        if self._link is None:
            raise ConnectionLost("there is no connection")
        await self._link.ask(Record(on, compare))
        return self._recording

    @staticmethod
    async def _send_prompt(to: Link, prompt: Prompt) -> None:
        if prompt.prompt.strip() or prompt.blend:
            await to.ask(prompt)
        else:
            await to.ask(SetImage())

    # frames, events, figures

    def __aiter__(self) -> Session:
        return self

    async def __anext__(self) -> Frame:
        """The newest frame that was not seen yet.  Raises: BadSource, or why there is no connection any more."""
        frame = await self._newest.get()
        if frame is None:
            raise StopAsyncIteration
        return frame

    @property
    def track(self) -> MediaStreamTrack:
        """What comes back as a track of aiortc, to record or to send on."""
        self._track = self._track or Output(self._newest)
        return self._track

    async def events(self) -> AsyncIterator[Event]:
        """What the server tells (protocol messages), and `Connected` and `Reconnecting`; the last 256 are kept."""
        while True:
            yield await self._events.get()

    def stats(self) -> Stats:
        latencies = sorted(latency for _, latency in self._arrivals) or [float("nan")]
        newest = [at for at, _ in self._arrivals if at > time.monotonic() - 1.0]
        return Stats(
            self._camera.count, self._received, float(len(newest)), statistics.median(latencies),
            latencies[int(0.95 * (len(latencies) - 1))], self._reconnects, self._status, self._tick,
        )  # fmt: skip

    # connections

    @asynccontextmanager
    async def live(self, timeout_s: float) -> AsyncIterator[None]:
        """Connected, and again when it is lost, for as long as the block lasts.  Raises: why no session came to be."""
        ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        tasks = [asyncio.create_task(self._run(ready)), asyncio.create_task(self._end_with_source())]
        try:
            try:
                await asyncio.wait_for(ready, timeout_s)
            except TimeoutError:
                raise ConnectionLost(f"{self._urls[0]} did not answer within {timeout_s:g} s") from None
            yield
        finally:
            for task in (*tasks, self._watching, self._listening):
                if task is not None:
                    task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self._newest.end(None)
            self._camera.stop()

    async def _run(self, ready: asyncio.Future[None]) -> None:
        """Connect, and connect again, until it is hopeless; `ready` is for the first time."""
        attempt = 0
        while True:
            try:
                async with link(self._address(), *self._where[1:], self._sources, self._on_track, self._hear) as (
                    mine,
                    open_media,
                ):
                    await mine.ask(self._look.settings)
                    if self._look.prompt is not None:
                        await self._send_prompt(mine, self._look.prompt)
                    await open_media()
                    self._link, attempt = mine, 0
                    self._tell(Connected())
                    if not ready.done():
                        ready.set_result(None)
                    error = await mine.ended
            except ReverieError as refusal:
                error = refusal
            finally:
                self._link = None
            if not ready.done():
                return ready.set_exception(error)
            if not self._again or not error.passing:
                return self._newest.end(error)
            attempt += 1
            self._urls = [*self._urls[1:], self._urls[0]]
            self._reconnects += 1
            self._tell(Reconnecting(error, attempt))
            await asyncio.sleep(min(LONGEST_WAIT_S, FIRST_WAIT_S * 2 ** (attempt - 1)))

    def _address(self) -> str:
        url = self._urls[0]
        return url if "session=" in url else f"{url}{'&' if '?' in url else '?'}session={self._id}"

    def _sources(self) -> list[MediaStreamTrack]:
        microphone = [] if self._microphone is None else [self._relay.subscribe(self._microphone)]
        return [self._relay.subscribe(self._camera, buffered=False), *microphone]  # a slow sender misses frames

    def _hear(self, message: FromServer) -> None:
        match message:
            case FrameShown(timestamp, step):
                self._steps[timestamp] = step
                while len(self._steps) > 300:
                    del self._steps[next(iter(self._steps))]
                self._stepped.set()
                return
            case RecordAck(True, _, str() as name):
                self._recording = name
            case Status(state):
                self._status = state
            case Nodes(urls):
                self._urls = [self._urls[0], *(each for each in urls if each != self._urls[0])]
            case GenerationTick():
                self._tick = message
        self._tell(message)

    def _tell(self, event: Event) -> None:
        if self._events.full():
            self._events.get_nowait()
        self._events.put_nowait(event)

    def _on_track(self, track: MediaStreamTrack) -> None:
        if track.kind == "video":
            self._watching = asyncio.create_task(self._watch(track))
        else:
            self._listening = asyncio.create_task(self._listen(track))

    async def _listen(self, track: MediaStreamTrack) -> None:
        with suppress(MediaStreamError):
            while True:
                frame = await track.recv()
                assert isinstance(frame, av.AudioFrame)
                if self.sound.full():
                    self.sound.get_nowait()
                self.sound.put_nowait(frame)

    async def _watch(self, track: MediaStreamTrack) -> None:
        with suppress(MediaStreamError):
            while True:
                video = await track.recv()
                assert isinstance(video, av.VideoFrame) and video.pts is not None and video.time_base is not None
                now, timestamp = time.time(), round(video.pts * video.time_base * CLOCK) & 0xFFFFFFFF
                number, captured_at = self._camera.known(timestamp)
                latency_ms = (now - captured_at) * 1000
                self._arrivals.append((time.monotonic(), latency_ms))
                self._received += 1
                self._newest.put(Frame(video, number, captured_at, await self._step(timestamp), latency_ms))

    async def _step(self, timestamp: int) -> int:
        """Word of a frame mostly comes before it: it need not be encoded.

        On a full link words come late; then no frame waits for them, and the last word counts.
        """
        try:
            async with asyncio.timeout(TOLD_S):
                while timestamp not in self._steps and not self._words_late:
                    self._stepped.clear()
                    await self._stepped.wait()
        except TimeoutError:
            self._words_late = True
        if timestamp in self._steps:
            self._words_late = False
        return self._steps.get(timestamp, next(reversed(self._steps.values()), 0))

    async def _end_with_source(self) -> None:
        """The source has no more frames: what is on its way still comes, then iteration ends."""
        while self._camera.readyState == "live":
            await asyncio.sleep(0.05)
        quiet_since = time.monotonic()
        while time.monotonic() - max(quiet_since, self._arrivals[-1][0] if self._arrivals else 0.0) < QUIET_S:
            await asyncio.sleep(0.05)
        error = self._camera.error
        self._newest.end(None if error is None else BadSource(f"the source failed: {type(error).__name__}: {error}"))

"""What a session shows, for any number of viewers: each quality is encoded once, whoever watches it.

    with session.output.frames() as newest: frame = await newest.get()     # raw: recordings, bridges
    reader = session.output.reader()                                       # encoded: a track for a peer connection
    reader.codec = "VP8"; encoded = await reader.recv()

A reader is a track of `Encoded` pictures; it begins with a keyframe, and after a gap goes on with one.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import av
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack

from reverie.client.rate import START, Budget
from reverie.server.encoders import CLOCK_HZ, Encoded, Encoder
from reverie.server.mailbox import Latest
from reverie.server.metrics import Metrics
from reverie.server.pictures import reformat
from reverie.server.timing import SourceClock
from reverie.server.trailers import Trailers

log = logging.getLogger(__name__)

KEYFRAME_GAP_S = 0.5  # asked-for keyframes come no closer
KEYFRAME_SHARE = 0.5  # of the bitrate that they may take: on a full link they are what is lost and asked for again
BACKLOG = 16  # encoded pictures that a reader may leave unread: half a second


@dataclass(frozen=True, slots=True)
class Rung:
    """One quality.  A reader that can take less than `floor` goes a rung down."""

    scale: float  # of each side
    every: int  # every n-th frame
    floor: int  # b/s
    ceiling: int


LADDER = (  # resolution goes before frame rate
    Rung(1.0, 1, 450_000, 4_000_000),
    Rung(0.75, 1, 260_000, 900_000),
    Rung(0.5, 1, 130_000, 450_000),
    Rung(0.5, 2, 50_000, 200_000),
)


class Reader(MediaStreamTrack):
    """One viewer's share of an output, as a track for a peer connection."""

    kind = "video"

    def __init__(self, output: Output) -> None:
        super().__init__()
        self._output = output
        self._queue: deque[Encoded] = deque()
        self._ready = asyncio.Event()
        self._lost = True  # until a keyframe comes
        self._codec = ""
        self.trailers: Trailers | None = None  # to be put behind pictures for this one
        self.bitrate = START  # b/s that its link takes
        self.rung = 0

    @property
    def codec(self) -> str:
        """ "VP8" or "H264", once it is agreed; nothing comes before."""
        return self._codec

    @codec.setter
    def codec(self, codec: str) -> None:
        """Pictures begin, also for who waits for them already: on a connection that stood before its track did."""
        self._codec = codec
        self._output.place(self)

    def allow(self, bitrate: int) -> None:
        """Tell what the link takes, in b/s; the quality follows."""
        self.bitrate = bitrate
        self._output.place(self)
        self._output.tell()

    def ask_keyframe(self) -> None:
        self._output.ask_keyframe(self)

    def put(self, encoded: Encoded) -> None:
        """By the rendition.  Never waits: a reader that is too slow loses pictures up to the next keyframe."""
        if len(self._queue) >= BACKLOG:
            self._output.metrics.dropped.labels("viewer").inc(len(self._queue))
            self._queue.clear()
            self._lost = True
        if self._lost and not encoded.keyframe:
            return self.ask_keyframe()
        self._lost = False
        self._queue.append(encoded)
        self._ready.set()

    async def recv(self) -> Encoded:  # type: ignore[override]
        self._output.place(self)
        while not self._queue:
            if self.readyState != "live":
                raise MediaStreamError
            self._ready.clear()
            await self._ready.wait()
        encoded = self._queue.popleft()
        return encoded if self.trailers is None else self.trailers.behind(encoded, self.codec)

    def taken(self, timestamp: int) -> float:
        """When the camera's picture with this timestamp was taken (monotonic)."""
        return self._output.clock.time(timestamp / CLOCK_HZ)

    def moved(self) -> None:
        """It has another rendition now, whose pictures do not follow from those before."""
        self._lost = True

    def stop(self) -> None:
        super().stop()
        self._output.leave(self)
        self._ready.set()


class Rendition:
    """One encoder and its readers; it works while it has readers."""

    def __init__(self, codec: str, rung: Rung, metrics: Metrics) -> None:
        self.rung, self._metrics = rung, metrics
        self.readers: set[Reader] = set()
        self.newest: Latest[av.VideoFrame] = Latest()
        self._encoder = Encoder(codec)
        self._wanted, self._seen = True, 0
        self._budget = Budget()
        self._key_from = 0.0  # when a keyframe may be made again
        self._task = asyncio.get_running_loop().create_task(self._run())

    @property
    def bitrate(self) -> int:
        """What all of its readers can take."""
        slowest = min((reader.bitrate for reader in self.readers), default=START)
        return max(self.rung.floor, min(self.rung.ceiling, slowest))

    def ask_keyframe(self) -> None:
        self._wanted = True

    def stop(self) -> None:
        self._task.cancel()

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            frame = await self.newest.get()
            self._seen += 1
            if self._seen % self.rung.every:
                continue
            began, bitrate = time.monotonic(), self.bitrate
            if self._budget.wait_s(began, bitrate):
                self._metrics.dropped.labels("rate").inc()
                continue
            key = self._wanted and began >= self._key_from
            try:
                encoded = await loop.run_in_executor(None, self._encode, frame, bitrate, key)
            except (av.FFmpegError, ValueError):
                log.exception("a picture of %dx%d could not be encoded", frame.width, frame.height)
                self._encoder = Encoder(self._encoder.codec)
                continue
            self._metrics.encode_s.observe(time.monotonic() - began)
            self._budget.spend(began, 8 * len(encoded.data), bitrate)
            if encoded.keyframe:
                self._wanted = False
                self._key_from = began + max(KEYFRAME_GAP_S, 8 * len(encoded.data) / (KEYFRAME_SHARE * bitrate))
                self._metrics.keyframes.inc()
            for reader in tuple(self.readers):
                reader.put(encoded)

    def _encode(self, frame: av.VideoFrame, bitrate: int, key: bool) -> Encoded:
        return self._encoder.encode(scaled(frame, self.rung.scale), bitrate, key)


class Output:
    """The picture of one session.  Lives on the event loop."""

    def __init__(self, metrics: Metrics, clock: SourceClock | None = None) -> None:
        self.metrics, self.clock = metrics, clock or SourceClock()  # the camera's
        self._watchers: set[Latest[av.VideoFrame]] = set()
        self._renditions: dict[tuple[str, int], Rendition] = {}
        self._readers: dict[Reader, Rendition | None] = {}
        self._leaving: dict[object, Callable[[], None]] = {}
        self.closed = False

    def show(self, frame: av.VideoFrame) -> None:
        """The session's next frame, with its pts; nobody may change it any more."""
        for rendition in self._renditions.values():
            before = rendition.newest.dropped
            rendition.newest.put(frame)
            self.metrics.dropped.labels("encoder").inc(rendition.newest.dropped - before)
        for newest in self._watchers:
            newest.put(frame)

    @contextmanager
    def frames(self) -> Iterator[Latest[av.VideoFrame]]:
        """Raw frames as they are shown, the newest one."""
        newest: Latest[av.VideoFrame] = Latest()
        self._watchers.add(newest)
        try:
            yield newest
        finally:
            self._watchers.discard(newest)

    def reader(self, codec: str = "") -> Reader:
        """Encoded pictures for one viewer."""
        reader = Reader(self)
        self._readers[reader] = None
        self.metrics.viewers.inc()
        reader.codec = codec
        return reader

    @property
    def viewers(self) -> int:
        return len(self._readers)

    def when_closed(self, call: Callable[[], None]) -> Callable[[], None]:
        """`call` is called once, when the session ends; returns what takes that back."""
        key = object()
        self._leaving[key] = call
        return lambda: self._leaving.pop(key, None) and None

    def place(self, reader: Reader) -> None:
        """See that a reader has the rendition that its codec and bitrate ask for."""
        if not reader.codec or reader not in self._readers:
            return
        reader.rung = rung_for(reader.bitrate, reader.rung)
        key = reader.codec, reader.rung
        now = self._readers[reader]
        if now is not None and now is self._renditions.get(key):
            return
        if key not in self._renditions:
            self._renditions[key] = Rendition(reader.codec, LADDER[reader.rung], self.metrics)
        self._detach(reader)
        rendition = self._readers[reader] = self._renditions[key]
        rendition.readers.add(reader)
        self.metrics.rungs.labels(reader.codec, str(reader.rung)).inc()
        rendition.ask_keyframe()
        reader.moved()

    def tell(self) -> None:
        """Figures of the slowest viewer."""
        self.metrics.bitrate.set(min(reader.bitrate for reader in self._readers))
        self.metrics.rung.set(max(reader.rung for reader in self._readers))

    def ask_keyframe(self, reader: Reader) -> None:
        if (rendition := self._readers.get(reader)) is not None:
            rendition.ask_keyframe()

    def leave(self, reader: Reader) -> None:
        if reader in self._readers:
            self._detach(reader)
            del self._readers[reader]
            self.metrics.viewers.dec()

    def close(self) -> None:
        """The session is over: all readers end."""
        self.closed = True
        for reader in tuple(self._readers):
            reader.stop()
        for call in tuple(self._leaving.values()):
            call()
        self._leaving.clear()

    def _detach(self, reader: Reader) -> None:
        rendition, self._readers[reader] = self._readers[reader], None
        if rendition is None:
            return
        rendition.readers.discard(reader)
        self.metrics.rungs.labels(reader.codec, str(LADDER.index(rendition.rung))).dec()
        if not rendition.readers:
            rendition.stop()
            self._renditions = {key: each for key, each in self._renditions.items() if each is not rendition}


def rung_for(bitrate: int, now: int) -> int:
    """The rung of a bitrate; upwards only with a quarter to spare, so that it does not change to and fro."""
    for number, rung in enumerate(LADDER):
        if bitrate >= rung.floor * (1.0 if number >= now else 1.25):
            return number
    return len(LADDER) - 1


def scaled(frame: av.VideoFrame, scale: float) -> av.VideoFrame:
    """A copy of a frame, yuv420p with even sides."""
    if scale == 1.0 and frame.format.name == "yuv420p" and not (frame.width % 2 or frame.height % 2):
        copy = av.VideoFrame.from_ndarray(frame.to_ndarray(), "yuv420p")
    else:
        width, height = (max(2, round(side * scale / 2) * 2) for side in (frame.width, frame.height))
        copy = reformat(frame, width, height, "yuv420p", interpolation="AREA")
    copy.pts, copy.time_base = frame.pts, frame.time_base
    return copy

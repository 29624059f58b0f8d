"""A session's sound, for any number of listeners, held back as long as its picture takes."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

import av
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack

from reverie.client.opus import AHEAD_S, OPUS_HZ, Encoder, Opus
from reverie.server.timing import SourceClock, seconds

BACKLOG = 50  # frames that a listener may leave unread: 1 s of 20 ms frames
KEPT = 500  # frames that a recording may leave unread: 10 s

Heard = tuple[float, av.AudioFrame]  # when it was taken (monotonic, as the picture), and the frame


class Ear(MediaStreamTrack):
    """One listener's track: each frame comes when the picture that was taken with it is shown."""

    kind = "audio"

    def __init__(self, sound: Sound) -> None:
        super().__init__()
        self._sound = sound
        self._frames: deque[av.AudioFrame | Opus] = deque(maxlen=BACKLOG)
        self._ready = asyncio.Event()
        self.opus = False

    def take_opus(self) -> None:
        """From now on what comes is encoded."""
        self.opus = True
        self._frames.clear()

    def put(self, frame: av.AudioFrame | Opus) -> None:
        self._frames.append(frame)
        self._ready.set()

    async def recv(self) -> av.AudioFrame | Opus:  # type: ignore[override]
        while not self._frames:
            if self.readyState != "live":
                raise MediaStreamError
            self._ready.clear()
            await self._ready.wait()
        return self._frames.popleft()

    def taken(self, timestamp: int) -> float:
        """When what has this timestamp was taken (monotonic)."""
        return self._sound.clock.time(timestamp / OPUS_HZ) - AHEAD_S

    def stop(self) -> None:
        super().stop()
        self._sound.leave(self)
        self._ready.set()


class Sound:
    """Hands each frame of the source to whoever listens."""

    def __init__(self) -> None:
        self.delay_s = 0.0  # of the picture, as the session measures it
        self._sources = 0
        self.clock = SourceClock()
        self._ears: set[Ear] = set()
        self._keeping: list[deque[Heard]] = []

    @property
    def live(self) -> bool:
        """Whether there is a source."""
        return self._sources > 0

    async def feed(self, track: MediaStreamTrack) -> None:
        """Until the source ends."""
        loop, self.clock, self._sources = asyncio.get_running_loop(), SourceClock(), self._sources + 1
        held: asyncio.Queue[tuple[float, av.AudioFrame, list[Opus]]] = asyncio.Queue()
        releasing = asyncio.create_task(self._release(held))
        encoder: Encoder | None = None
        try:
            while True:
                frame = await track.recv()
                assert isinstance(frame, av.AudioFrame) and frame.pts is not None and frame.time_base is not None
                length_s = frame.samples / frame.sample_rate  # its first sample is so much older than its arrival
                taken = self.clock.arrived(seconds(frame) + length_s, time.monotonic()) - length_s - AHEAD_S
                for kept in self._keeping:
                    kept.append((taken, frame))
                encoder = (encoder or Encoder()) if any(ear.opus for ear in self._ears) else None
                encoded = [] if encoder is None else await loop.run_in_executor(None, encoder.encode, frame)
                held.put_nowait((taken, frame, encoded))
        except MediaStreamError:
            await held.join()
        finally:
            releasing.cancel()
            self._sources -= 1

    async def _release(self, held: asyncio.Queue[tuple[float, av.AudioFrame, list[Opus]]]) -> None:
        """To the listeners, when its picture is shown."""
        while True:
            taken, frame, encoded = await held.get()
            await asyncio.sleep(taken + self.delay_s - time.monotonic())
            for ear in tuple(self._ears):
                for each in encoded if ear.opus else (frame,):
                    ear.put(each)
            held.task_done()

    def listen(self) -> Ear:
        ear = Ear(self)
        self._ears.add(ear)
        return ear

    def leave(self, ear: Ear) -> None:
        self._ears.discard(ear)

    @contextmanager
    def kept(self) -> Iterator[deque[Heard]]:
        """Frames as they come, with when they were taken; to be emptied from the left."""
        keeping: deque[Heard] = deque(maxlen=KEPT)
        self._keeping.append(keeping)
        try:
            yield keeping
        finally:
            self._keeping = [each for each in self._keeping if each is not keeping]

    def close(self) -> None:
        for ear in tuple(self._ears):
            ear.stop()

"""A session's sound, for any number of listeners, held back as long as its picture takes."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

import av
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack

from reverie.server.timing import SourceClock

BACKLOG = 50  # frames that a listener may leave unread: 1 s of 20 ms frames
KEPT = 500  # frames that a recording may leave unread: 10 s

Heard = tuple[float, av.AudioFrame]  # when it was taken (monotonic, as the picture), and the frame


class Ear(MediaStreamTrack):
    """One listener's track: each frame comes when the picture that was taken with it is shown."""

    kind = "audio"

    def __init__(self, sound: Sound) -> None:
        super().__init__()
        self._sound = sound
        self._frames: deque[Heard] = deque(maxlen=BACKLOG)
        self._ready = asyncio.Event()

    def put(self, heard: Heard) -> None:
        self._frames.append(heard)
        self._ready.set()

    async def recv(self) -> av.AudioFrame:
        while not self._frames:
            if self.readyState != "live":
                raise MediaStreamError
            self._ready.clear()
            await self._ready.wait()
        taken, frame = self._frames.popleft()
        await asyncio.sleep(taken + self._sound.delay_s - time.monotonic())
        return frame

    def stop(self) -> None:
        super().stop()
        self._sound.leave(self)
        self._ready.set()


class Sound:
    """Hands each frame of the source to whoever listens."""

    def __init__(self) -> None:
        self.delay_s = 0.0  # of the picture, as the session measures it
        self.live = False  # whether there is a source
        self._ears: set[Ear] = set()
        self._keeping: list[deque[Heard]] = []

    async def feed(self, track: MediaStreamTrack) -> None:
        """Until the source ends."""
        clock, self.live = SourceClock(), True
        try:
            while True:
                frame = await track.recv()
                assert isinstance(frame, av.AudioFrame) and frame.pts is not None and frame.time_base is not None
                length_s = frame.samples / frame.sample_rate  # its first sample is so much older than its arrival
                taken = clock.arrived(float(frame.pts * frame.time_base) + length_s, time.monotonic()) - length_s
                for ear in self._ears:
                    ear.put((taken, frame))
                for kept in self._keeping:
                    kept.append((taken, frame))
        except MediaStreamError:
            return
        finally:
            self.live = False

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

"""A session's sound, for any number of listeners."""

from __future__ import annotations

import asyncio
from collections import deque

import av
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack

BACKLOG = 50  # frames that a listener may leave unread: 1 s of 20 ms frames


class Ear(MediaStreamTrack):
    """One listener's track; it waits while there is no sound."""

    kind = "audio"

    def __init__(self, sound: Sound) -> None:
        super().__init__()
        self._sound = sound
        self._frames: deque[av.AudioFrame] = deque(maxlen=BACKLOG)
        self._ready = asyncio.Event()

    def put(self, frame: av.AudioFrame) -> None:
        self._frames.append(frame)
        self._ready.set()

    async def recv(self) -> av.AudioFrame:
        while not self._frames:
            if self.readyState != "live":
                raise MediaStreamError
            self._ready.clear()
            await self._ready.wait()
        return self._frames.popleft()

    def stop(self) -> None:
        super().stop()
        self._sound.leave(self)
        self._ready.set()


class Sound:
    """Hands each frame of the source to whoever listens."""

    def __init__(self) -> None:
        self._ears: set[Ear] = set()

    async def feed(self, track: MediaStreamTrack) -> None:
        """Until the source ends."""
        try:
            while True:
                frame = await track.recv()
                assert isinstance(frame, av.AudioFrame)
                for ear in self._ears:
                    ear.put(frame)
        except MediaStreamError:
            return

    def listen(self) -> Ear:
        ear = Ear(self)
        self._ears.add(ear)
        return ear

    def leave(self, ear: Ear) -> None:
        self._ears.discard(ear)

    def close(self) -> None:
        for ear in tuple(self._ears):
            ear.stop()

"""What comes back from a session: frames, events and figures."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from reverie.client.errors import ReverieError
from reverie.client.protocol import FromServer, GenerationTick

if TYPE_CHECKING:
    import av
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Frame:
    """A frame that came back."""

    video: av.VideoFrame
    number: int  # of the source's frame that it shows, from 0
    captured_at: float  # time.time() when that frame was taken from the source
    step: int  # of the model; 0 is the source's own picture: no look, or the model was late
    latency_ms: float  # from captured_at until it was decoded here

    @cached_property
    def image(self) -> NDArray[np.uint8]:
        """(H, W, 3) uint8 RGB."""
        return self.video.to_ndarray(format="rgb24").astype("uint8", copy=False)


@dataclass(frozen=True, slots=True)
class Reconnecting:
    """An event: the connection is lost, and tried again with the same look."""

    reason: ReverieError
    attempt: int


@dataclass(frozen=True, slots=True)
class Connected:
    """An event: pictures can flow, for the first time or again."""


Event = FromServer | Reconnecting | Connected


@dataclass(frozen=True, slots=True)
class Stats:
    sent: int  # frames
    received: int
    fps: float  # received in the last second or so
    latency_p50_ms: float  # of the last hundred frames; nan before the first
    latency_p95_ms: float
    reconnects: int
    status: str  # styled, passthrough, stalled, crashed, or "" before the first frame
    server: GenerationTick | None  # what the server last told of itself


class Newest:
    """The track of what comes back; holds one frame, and a newer one replaces it."""

    def __init__(self) -> None:
        self._frame: Frame | None = None
        self._changed = asyncio.Event()
        self.error: ReverieError | None = None
        self.over = False

    def put(self, frame: Frame) -> None:
        self._frame = frame
        self._changed.set()

    def end(self, error: ReverieError | None) -> None:
        self.over, self.error = True, error
        self._changed.set()

    async def get(self) -> Frame | None:
        """The next frame; None at the end.  Raises: what ended it, if that was no wish of ours."""
        while self._frame is None:
            if self.over:
                if self.error is not None:
                    raise self.error
                return None
            self._changed.clear()
            await self._changed.wait()
        frame, self._frame = self._frame, None
        return frame

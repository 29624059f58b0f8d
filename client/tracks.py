"""Frames as tracks of aiortc: those of a source on their way out, and those that come back."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator
from fractions import Fraction
from typing import Any

import av
import numpy as np
from aiortc.contrib.media import MediaPlayer
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack

from reverie.client.errors import BadSource
from reverie.client.received import Newest
from reverie.client.sources import Camera, File, Frames, Picture, Source

CLOCK = 90_000  # of video in RTP, Hz


def track_of(source: Source | Iterable[Picture] | AsyncIterable[Picture]) -> MediaStreamTrack:
    """Raises: BadSource if it cannot be opened or is none."""
    match source:
        case MediaStreamTrack():
            return source
        case Camera():
            return _camera(source)
        case File(path, loop):
            return _played(str(path), str(path), loop=loop)
        case Frames(frames, fps):
            return ArrayTrack(frames, fps)
        case Iterable() | AsyncIterable() if not isinstance(source, str | bytes):
            return ArrayTrack(source, Frames.fps)
    raise BadSource(f"a source is a Camera, a File, Frames, arrays or a track, not {type(source).__name__}")


def _camera(camera: Camera) -> MediaStreamTrack:
    size = {"video_size": f"{camera.width}x{camera.height}", "framerate": str(camera.fps)}
    device, numbered = camera.device, isinstance(camera.device, int)
    if sys.platform == "darwin":
        name, form = (f"{device}:none" if numbered else str(device)), "avfoundation"
    elif sys.platform == "win32":
        name, form = f"video={device}", "dshow"
    else:
        name, form = (f"/dev/video{device}" if numbered else str(device)), "v4l2"
    return _played(name, f"camera {device}", format=form, options=size)


def _played(name: str, called: str, **how: Any) -> MediaStreamTrack:
    try:
        player = MediaPlayer(name, **how)
    except (av.FFmpegError, OSError, ValueError) as error:
        raise BadSource(f"{called} cannot be opened: {error}") from None
    if player.video is None:
        raise BadSource(f"{called} has no video")
    player.video.player = player  # it stops when it is collected
    return player.video


class ArrayTrack(MediaStreamTrack):
    """A track of arrays."""

    kind = "video"

    def __init__(self, frames: Iterable[Picture] | AsyncIterable[Picture], fps: float) -> None:
        super().__init__()
        if not 0 < fps <= 240:
            raise BadSource(f"fps must be above 0 and at most 240, got {fps}")
        self._frames = aiter(frames) if isinstance(frames, AsyncIterable) else _walk(iter(frames))
        self._fps, self._began, self._number = fps, 0.0, 0

    async def recv(self) -> av.VideoFrame:
        if self.readyState != "live":
            raise MediaStreamError
        try:
            picture = await anext(self._frames)
        except StopAsyncIteration:
            self.stop()
            raise MediaStreamError from None
        late_s = time.monotonic() - self._began - self._number / self._fps
        if late_s > 1 / self._fps:  # no burst: on a busy machine it would only grow
            self._began += late_s
        await asyncio.sleep(max(0.0, -late_s))
        frame = frame_of(picture)
        frame.pts, frame.time_base = round(self._number * CLOCK / self._fps), Fraction(1, CLOCK)
        self._number += 1
        return frame


def frame_of(picture: Picture) -> av.VideoFrame:
    """Raises: BadSource on a wrong shape or dtype, or an odd side."""
    if not isinstance(picture, np.ndarray) or picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3:
        got = f"{picture.dtype} {picture.shape}" if isinstance(picture, np.ndarray) else type(picture).__name__
        raise BadSource(f"a frame is uint8 (H, W, 3) RGB, got {got}")
    if picture.shape[0] % 2 or picture.shape[1] % 2 or not picture.size:
        raise BadSource(f"sides must be even, got {picture.shape[1]}x{picture.shape[0]}")
    return av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), "rgb24").reformat(format="yuv420p")


async def _walk(frames: Iterator[Picture]) -> AsyncIterator[Picture]:
    """Iterators may block: each step runs in a thread."""
    while (picture := await asyncio.to_thread(next, frames, None)) is not None:
        yield picture


class Counted(MediaStreamTrack):
    """A track whose frames are known again by their timestamp when they come back."""

    kind = "video"

    def __init__(self, track: MediaStreamTrack) -> None:
        super().__init__()
        self.error: Exception | None = None
        self._track, self._sent, self.count = track, {}, 0  # type: ignore[var-annotated]

    async def recv(self) -> av.VideoFrame:
        try:
            frame = await self._track.recv()
        except MediaStreamError:
            self.stop()
            raise
        except Exception as error:  # the caller's iterator: the session ends and tells its words
            self.error = error
            self.stop()
            raise MediaStreamError from error
        assert isinstance(frame, av.VideoFrame) and frame.pts is not None and frame.time_base is not None
        timestamp = round(frame.pts * frame.time_base * CLOCK) & 0xFFFFFFFF
        self._sent[timestamp] = self.count, time.time()
        self.count += 1
        while len(self._sent) > 600:
            del self._sent[next(iter(self._sent))]
        return frame

    def known(self, timestamp: int) -> tuple[int, float]:
        """Number and time (time.time()) of the frame sent with that RTP timestamp; (-1, nan) if there was none."""
        return self._sent.get(timestamp, (-1, float("nan")))

    def stop(self) -> None:
        super().stop()
        self._track.stop()


class Output(MediaStreamTrack):
    """What comes back, as a track: it outlives reconnects."""

    kind = "video"

    def __init__(self, newest: Newest) -> None:
        super().__init__()
        self._newest = newest

    async def recv(self) -> av.VideoFrame:
        frame = await self._newest.get()
        if frame is None:
            self.stop()
            raise MediaStreamError
        return frame.video

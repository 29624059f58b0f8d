"""A camera that flashes and a microphone that beeps at the same moments, and how far apart they come out.

Every second, for 100 ms.  As with real devices a picture is there when it was taken, a 20 ms frame of sound when its last
sample was.
"""

from __future__ import annotations

import asyncio
import time
from fractions import Fraction
from itertools import pairwise
from typing import Any

import av
import numpy as np
from aiortc.mediastreams import MediaStreamTrack

from reverie.client import connect

RATE, FRAME = 48_000, 960
EVERY_S, LENGTH_S = 1.0, 0.1
DARK, BRIGHT = 40, 230
SIZE = (320, 240)


class Flashes(MediaStreamTrack):
    kind = "video"

    def __init__(self, began: float, fps: int = 30) -> None:
        super().__init__()
        self._began, self._fps, self._n = began, fps, -1

    async def recv(self) -> av.VideoFrame:
        self._n = max(self._n + 1, int((time.monotonic() - self._began) * self._fps))
        at = self._n / self._fps
        await asyncio.sleep(self._began + at - time.monotonic())
        level = BRIGHT if at % EVERY_S < LENGTH_S else DARK
        frame = av.VideoFrame.from_ndarray(np.full((SIZE[1] * 3 // 2, SIZE[0]), 128, np.uint8), "yuv420p")
        picture = frame.to_ndarray()
        picture[: SIZE[1]] = level
        frame = av.VideoFrame.from_ndarray(picture, "yuv420p")
        frame.pts, frame.time_base = round(at * 90_000), Fraction(1, 90_000)
        return frame


class Beeps(MediaStreamTrack):
    kind = "audio"

    def __init__(self, began: float) -> None:
        super().__init__()
        self._began, self._n = began, max(0, int((time.monotonic() - began) * RATE / FRAME))

    async def recv(self) -> av.AudioFrame:
        self._n += 1
        await asyncio.sleep(self._began + (self._n + 1) * FRAME / RATE - time.monotonic())
        at = (self._n * FRAME + np.arange(FRAME)) / RATE
        tone = np.where(at % EVERY_S < LENGTH_S, np.sin(2 * np.pi * 880 * at) * 12_000, 0).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(tone.repeat(2)[None], "s16", "stereo")
        frame.sample_rate, frame.pts, frame.time_base = RATE, self._n * FRAME, Fraction(1, RATE)
        return frame


def onsets(levels: list[tuple[float, float]], threshold: float) -> list[float]:
    """When a level rises over a threshold, from (time, level)."""
    return [b[0] for a, b in pairwise(levels) if a[1] <= threshold < b[1]]


def loudness(at: float, frame: av.AudioFrame) -> list[tuple[float, float]]:
    """(time, level 0..1) for every 2 ms of a frame that begins at a time."""
    samples = np.abs(frame.to_ndarray().astype(np.float32)).reshape(-1, len(frame.layout.channels)).max(1)
    scale = 1.0 if frame.format.name.startswith("flt") else 32768.0
    step = RATE // 500
    return [(at + n / RATE, float(samples[n : n + step].max()) / scale) for n in range(0, len(samples), step)]


def offsets_ms(flashes: list[float], beeps: list[float]) -> list[float]:
    """Beep minus flash, for each flash; positive is late sound."""
    return [1000 * min((beep - flash for beep in beeps), key=abs) for flash in flashes if beeps]


async def of_visit(url: str, prompt: str, seconds: float, settled_s: float, **how: Any) -> list[float]:
    """`offsets_ms` of what comes back to the SDK, by when it does.

    Args: settled_s: at the beginning, which do not count.  how: as `connect` takes it.
    """
    began, pictures, levels = time.monotonic(), [], []  # type: float, list[tuple[float, float]], list[tuple[float, float]]

    async def hear(session: Any) -> None:
        while True:
            frame = await session.sound.get()
            levels.extend(loudness(time.monotonic(), frame))

    async with connect(url, Flashes(began), prompt, microphone=Beeps(began), timeout_s=60, **how) as session:
        hearing = asyncio.create_task(hear(session))
        async for frame in session:
            pictures.append((time.monotonic(), float(frame.image.mean())))
            if time.monotonic() - began > seconds:
                break
        hearing.cancel()
    seen = [(at, 255 - level if prompt else level) for at, level in pictures if at - began > settled_s]
    heard = [each for each in levels if each[0] - began > settled_s - LENGTH_S]
    return offsets_ms(onsets(seen, 128), onsets(heard, 0.1))


def of_file(path: str) -> list[float]:
    """`offsets_ms` of a recording whose right half flashes."""
    pictures, levels = [], []
    with av.open(path) as container:
        for frame in container.decode(video=0):
            pictures.append((frame.time, float(frame.to_ndarray(format="gray")[:, -160:].mean())))
    with av.open(path) as container:
        for frame in container.decode(audio=0):
            flat = av.AudioFrame.from_ndarray(
                np.ascontiguousarray(frame.to_ndarray().T).reshape(1, -1), "flt", "stereo"
            )
            levels += loudness(frame.time, flat)
    heard_until = levels[-1][0] - LENGTH_S  # the sound of the last picture may be missing
    return offsets_ms([at for at in onsets(pictures, 128) if at < heard_until], onsets(levels, 0.1))

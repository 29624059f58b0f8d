"""A camera's picture in the planes of 4:2:0 that it came in, made smaller and larger there: no RGB at full size."""

from __future__ import annotations

from functools import cached_property

import av
import cv2
import numpy as np

from reverie.server.pictures import Picture, reformat, to_frame
from reverie.server.upscale import Plane, detail, shrink


class Planes:
    """Luma (H, W), then blue and red (H / 2, W / 2) each; sides are even, an odd last row or column is lost."""

    def __init__(self, frame: av.VideoFrame) -> None:
        width, height = frame.width // 2 * 2, frame.height // 2 * 2
        if frame.format.name not in ("yuv420p", "yuvj420p") or (width, height) != (frame.width, frame.height):
            frame = reformat(frame, width, height, "yuv420p")
        self._whole: Plane = frame.to_ndarray()
        self._low: Plane | None = None  # luma at render size
        self.size = width, height

    @cached_property
    def rgb(self) -> Picture:
        """(H, W, 3)."""
        return cv2.cvtColor(self._whole, cv2.COLOR_YUV2RGB_I420)  # type: ignore[return-value]

    def small(self, width: int, height: int) -> Picture:
        """(height, width, 3) RGB at a render size: even, not above the source's."""
        if (width, height) == self.size:
            return self.rgb
        luma, *chroma = _split(self._whole)
        self._low = shrink(luma, width, height)
        parts = [self._low, *(shrink(each, width // 2, height // 2) for each in chroma)]
        whole = np.concatenate([part.ravel() for part in parts]).reshape(height * 3 // 2, width)
        return cv2.cvtColor(whole, cv2.COLOR_YUV2RGB_I420)  # type: ignore[return-value]

    def frame(self, styled: Picture) -> av.VideoFrame:
        """A styled picture at render size as a frame at the source's, as `upscale` makes it."""
        width, height = self.size
        if styled.shape[1::-1] == self.size:
            return to_frame(styled)
        luma, *chroma = _split(cv2.cvtColor(styled, cv2.COLOR_RGB2YUV_I420))  # type: ignore[arg-type]
        guide = _split(self._whole)[0]
        low = self._low if self._low is not None and self._low.shape == luma.shape else shrink(guide, *luma.shape[::-1])
        out = np.empty((height * 3 // 2, width), np.uint8)
        shown, *colours = _split(out)
        large = cv2.resize(luma, self.size, interpolation=cv2.INTER_CUBIC)
        cv2.add(large, detail(luma, guide, low), shown, dtype=cv2.CV_8U)
        for each, colour in zip(chroma, colours, strict=True):
            cv2.resize(each, (width // 2, height // 2), colour)
        return av.VideoFrame.from_ndarray(out, "yuv420p")


def _split(whole: Plane) -> tuple[Plane, Plane, Plane]:
    """The planes of an I420 array (3 H / 2, W), as views."""
    height, width = whole.shape[0] * 2 // 3, whole.shape[1]
    blue, red = whole[height:].reshape(2, height // 2, width // 2)
    return whole[:height], blue, red

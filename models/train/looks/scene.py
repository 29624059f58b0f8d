"""What a teacher paints: frames of a clip, and a canvas of pattern coordinates that moves with the scene."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]  # (H, W, 3) RGB
Plane = NDArray[np.floating]  # (H, W), mostly 0 to 1
Paint = NDArray[np.floating]  # (H, W, 3) RGB, 0 to 1
STILL = 0.2  # pixels; slower flow is sensor noise and moves nothing
ROOM = 16  # patterns repeat after a divisor of it, so crops at its multiples keep their phase


@dataclass(frozen=True, slots=True)
class Wish:
    """What a request asks of a look besides its name; empty is the look's own way."""

    line: str = ""  # fine or bold
    size: str = ""  # small or large: of dots, cells, strokes
    colour: str = ""  # of the ink, the paper or the light
    mood: str = ""
    outlines: bool = True
    strength: float = 1.0  # share of the look, the rest is the source


class Frame:
    """One frame; what several looks need of it is computed once."""

    def __init__(self, rgb: Picture, noise: NDArray[np.floating], drift: NDArray[np.floating]) -> None:
        """
        Args:
            noise: (3, H, W) normal, the stream's noise picture: all that is random follows it.
            drift: (H, W, 2) pixels down and right from each pixel to its place on the canvas.
        """
        self.rgb, self.noise = rgb, noise
        y, x = np.mgrid[0 : rgb.shape[0], 0 : rgb.shape[1]].astype(np.float32)
        self.y, self.x = y, x  # of the screen
        self.v, self.u = y + drift[..., 0], x + drift[..., 1]  # of the canvas
        self._kept: dict[object, NDArray[np.floating]] = {}

    @cached_property
    def colour(self) -> Paint:
        return self.rgb.astype(np.float32) / 255

    @cached_property
    def grey(self) -> Plane:
        return cv2.cvtColor(self.rgb, cv2.COLOR_RGB2GRAY).astype(np.float32) / 255

    @cached_property
    def smooth(self) -> Paint:
        """Flat areas and kept edges."""
        x = self.rgb
        for _ in range(3):
            x = cv2.bilateralFilter(x, 7, 32, 5)
        return x.astype(np.float32) / 255

    @cached_property
    def local(self) -> Plane:
        """Luma with even exposure, 0 to 1."""
        wide = blur(self.grey, 24)
        return np.clip(0.5 + (self.grey - wide) * 1.15 + (wide - 0.5) * 0.6, 0, 1)

    @cached_property
    def tone(self) -> Plane:
        """`local` of the smooth picture, its range stretched: what drawn shading follows."""
        g = self.smooth @ np.array([0.3, 0.59, 0.11], np.float32)
        wide = blur(g, 32)
        return np.clip(0.5 + (g - wide) * 1.3 + (wide - 0.5) * 0.75, 0, 1)

    @cached_property
    def tangent(self) -> tuple[Plane, Plane]:
        """Unit vector (down, right) along the shapes; where there is none, down to the right."""
        g = blur(self.grey, 1.5)
        gx, gy = cv2.Sobel(g, cv2.CV_32F, 1, 0), cv2.Sobel(g, cv2.CV_32F, 0, 1)
        c, s = blur(gx * gx - gy * gy, 7), blur(2 * gx * gy, 7) - 2e-4
        angle = 0.5 * np.arctan2(s, c) + np.float32(np.pi / 2)
        return np.sin(angle), np.cos(angle)

    def carried(self, plane: Plane) -> Plane:
        """A texture of the canvas as it lies in this frame."""
        return cv2.remap(plane, self.u, self.v, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)

    def grain(self, sigma: float, channel: int = 0) -> Plane:
        """Normal noise of a grain size (pixels), fixed to the scene, standard deviation 1."""
        key = ("grain", sigma, channel)
        if key not in self._kept:
            plane = blur(self.noise[channel], sigma)
            self._kept[key] = self.carried(plane * np.float32(max(1.0, 3.545 * sigma)))
        return self._kept[key]

    @cached_property
    def hand(self) -> tuple[Plane, Plane]:
        """Canvas coordinates (down, right) as an unsteady hand follows them."""
        return self.v + 0.7 * self.grain(5, 1), self.u + 0.7 * self.grain(5, 2)

    def dice(self, pitch: int, channel: int) -> Plane:
        """A normal number per cell of the canvas (H / pitch, W / pitch), -1.6 to 1.6."""
        h, w = self.grey.shape
        small = cv2.resize(self.noise[channel], (w // pitch, h // pitch), interpolation=cv2.INTER_AREA)
        return np.clip(small * pitch, -1.6, 1.6)


def blur(x: NDArray[np.floating], sigma: float) -> NDArray[np.floating]:
    return cv2.GaussianBlur(x, (0, 0), sigma)


def _steady(flow: NDArray[np.floating], grey: NDArray[np.uint8]) -> NDArray[np.floating]:
    """Flow where the picture has texture; elsewhere what its surroundings do, and nothing for what is nearly still."""
    g = blur(grey.astype(np.float32) / 255, 1)
    sure = blur(np.square(cv2.Sobel(g, cv2.CV_32F, 1, 0)) + np.square(cv2.Sobel(g, cv2.CV_32F, 0, 1)), 3)[..., None]
    around = blur(sure * flow, 20) / (blur(sure[..., 0], 20)[..., None] + 1e-4)
    flow = (sure * flow + 3e-3 * around) / (sure + 3e-3)
    return flow * np.clip(np.linalg.norm(flow, axis=-1, keepdims=True) / STILL - 1, 0, 1)


def frames(clip: NDArray[np.uint8], noise: NDArray[np.floating], cuts: tuple[int, ...] = ()) -> list[Frame]:
    """Frames of a clip (T, H, W, 3), their canvas carried along the optical flow; it starts anew at each cut."""
    drifts = [np.zeros((*clip.shape[1:3], 2), np.float32)]
    flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
    greys = [cv2.cvtColor(np.ascontiguousarray(frame), cv2.COLOR_RGB2GRAY) for frame in clip]
    y, x = np.mgrid[0 : clip.shape[1], 0 : clip.shape[2]].astype(np.float32)
    for t in range(1, len(clip)):
        if t in cuts:
            drifts.append(np.zeros_like(drifts[0]))
            continue
        back = flow.calc(greys[t], greys[t - 1], None)[..., ::-1]  # down, right
        back = _steady(back, greys[t])
        before = cv2.remap(
            drifts[-1], x + back[..., 1], y + back[..., 0], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        drifts.append(before + back)
    return [Frame(frame, noise, drift) for frame, drift in zip(clip, drifts, strict=True)]

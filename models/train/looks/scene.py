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
Kept = dict[object, NDArray[np.floating]]
STILL = 0.2  # pixels; a slower camera is sensor noise and moves nothing
ROOM = 16  # patterns repeat after a divisor of it, so crops at its multiples keep their phase


@dataclass(frozen=True, slots=True)
class Wish:
    """What a request asks of a look besides its name; empty is the look's own way."""

    line: str = ""  # fine or bold
    size: str = ""  # small or large: of dots, cells, strokes
    colour: str = ""  # of the ink, the paper or the light
    mood: str = ""
    time: str = ""  # of day
    outlines: bool = True
    strength: float = 1.0  # share of the look, the rest is the source


class Frame:
    """One frame; what several looks need of it is computed once."""

    def __init__(
        self, rgb: Picture, noise: NDArray[np.floating], drift: NDArray[np.floating], canvas: Kept | None = None
    ) -> None:
        """
        Args:
            noise: (3, H, W) normal, the stream's noise picture: all that is random follows it.
            drift: (H, W, 2) pixels down and right from each pixel to its place on the canvas.
            canvas: what is drawn on the canvas, shared by the frames of a clip.
        """
        self.rgb, self.noise = rgb, noise
        self.canvas: Kept = {} if canvas is None else canvas
        y, x = np.mgrid[0 : rgb.shape[0], 0 : rgb.shape[1]].astype(np.float32)
        self.y, self.x = y, x  # of the screen
        self.v, self.u = y + drift[..., 0], x + drift[..., 1]  # of the canvas
        self._kept: Kept = {}

    @cached_property
    def colour(self) -> Paint:
        return self.rgb.astype(np.float32) / 255

    @cached_property
    def grey(self) -> Plane:
        return cv2.cvtColor(self.rgb, cv2.COLOR_RGB2GRAY).astype(np.float32) / 255

    @cached_property
    def smooth(self) -> Paint:
        """Flat areas and kept edges."""
        x = cv2.medianBlur(self.rgb, 3)
        for _ in range(3):
            x = cv2.bilateralFilter(x, 5, 34, 4)
        return x.astype(np.float32) / 255

    @cached_property
    def local(self) -> Plane:
        """Luma with even exposure, 0 to 1."""
        around = wide(self.grey, 24)
        return np.clip(0.5 + (self.grey - around) * 1.15 + (around - 0.5) * 0.6, 0, 1)

    @cached_property
    def tone(self) -> Plane:
        """`local` of the smooth picture, its range stretched: what drawn shading follows."""
        g = self.smooth @ np.array([0.3, 0.59, 0.11], np.float32)
        around = wide(g, 32)
        return np.clip(0.5 + (g - around) * 1.3 + (around - 0.5) * 0.75, 0, 1)

    @cached_property
    def tangent(self) -> tuple[Plane, Plane]:
        """Unit vector (down, right) along the shapes; where there is none, down to the right."""
        return self._direction(1.5, 7, 2e-4)

    @cached_property
    def contour(self) -> tuple[Plane, Plane]:
        """The same along the nearest edge: what a drawn line follows."""
        return self._direction(0.8, 2, 1e-6)

    def _direction(self, fine: float, coarse: float, lean: float) -> tuple[Plane, Plane]:
        g = blur(self.grey, fine)
        gx, gy = cv2.Sobel(g, cv2.CV_32F, 1, 0), cv2.Sobel(g, cv2.CV_32F, 0, 1)
        angle = 0.5 * cv2.phase(blur(gx * gx - gy * gy, coarse), blur(2 * gx * gy, coarse) - lean)
        angle += np.float32(np.pi / 2)
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
    def sheet(self) -> tuple[Plane, Plane]:
        """Canvas coordinates (down, right) for screens and hatching: they bend gently where limbs move."""
        return self.y + wide(self.v - self.y, 16), self.x + wide(self.u - self.x, 16)

    @cached_property
    def hand(self) -> tuple[Plane, Plane]:
        """The same as an unsteady hand follows them."""
        return self.sheet[0] + 0.7 * self.grain(5, 1), self.sheet[1] + 0.7 * self.grain(5, 2)

    def dice(self, pitch: int, channel: int) -> Plane:
        """A normal number per cell of the canvas (H / pitch, W / pitch), -1.6 to 1.6."""
        h, w = self.grey.shape
        small = cv2.resize(self.noise[channel], (w // pitch, h // pitch), interpolation=cv2.INTER_AREA)
        return np.clip(small * pitch, -1.6, 1.6)


def blur(x: NDArray[np.floating], sigma: float) -> NDArray[np.floating]:
    return cv2.GaussianBlur(x, (0, 0), sigma)


def wide(x: NDArray[np.floating], sigma: float) -> NDArray[np.floating]:
    """A blur of 8 pixels and more, made on a quarter of each side."""
    small = cv2.resize(x, (x.shape[1] // 4, x.shape[0] // 4), interpolation=cv2.INTER_AREA)
    return cv2.resize(blur(small, sigma / 4), x.shape[1::-1], interpolation=cv2.INTER_LINEAR)


class _Motion:
    """Where the pixels of a frame were in the frame before."""

    def __init__(self, height: int, width: int) -> None:
        self._flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
        y, x = np.mgrid[0:height, 0:width].astype(np.float32)
        self.place = np.stack((x, y), -1)  # across, down

    def at(self, plane: NDArray[np.floating], back: NDArray[np.floating]) -> NDArray[np.floating]:
        return cv2.remap(plane, self.place + back, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)

    def __call__(self, now: NDArray[np.uint8], before: NDArray[np.uint8]) -> NDArray[np.floating]:
        """(H, W, 2) across and down: the camera's motion, and its own for what that does not explain."""
        own = self._flow.calc(now, before, None)
        a, b = now.astype(np.float32) / 255, before.astype(np.float32) / 255
        camera = self._camera(own, a)
        left = blur(abs(a - self.at(b, camera)) - abs(a - self.at(b, own)), 4)
        share = np.clip((left - 0.004) / 0.016, 0, 1)[..., None]
        return camera + blur(share, 2).reshape(share.shape) * (own - camera)

    def _camera(self, own: NDArray[np.floating], grey: Plane) -> NDArray[np.floating]:
        """Shift, turn and zoom that most of what has texture shares; nothing for less than `STILL`."""
        g = blur(grey, 1)
        texture = blur(np.square(cv2.Sobel(g, cv2.CV_32F, 1, 0)) + np.square(cv2.Sobel(g, cv2.CV_32F, 0, 1)), 3)
        grid = (slice(4, None, 8), slice(4, None, 8))
        sure = texture[grid] > 1e-3
        if sure.sum() < 12:
            return np.zeros_like(own)
        here, there = self.place[grid][sure], (self.place + own)[grid][sure]
        turn, _ = cv2.estimateAffinePartial2D(here, there, method=cv2.RANSAC, ransacReprojThreshold=0.5)
        if turn is None:
            return np.zeros_like(own)
        field = cv2.transform(self.place, turn) - self.place
        speed = float(np.linalg.norm(field, axis=-1).mean())
        return np.asarray(field * np.float32(np.clip(speed / STILL - 1, 0, 1)), np.float32)


def _unfolded(drift: NDArray[np.floating]) -> NDArray[np.floating]:
    """Where neighbours have drifted apart the pattern would be torn: it gives way to its surroundings."""
    slopes = [cv2.Sobel(drift, cv2.CV_32F, *axis, scale=1 / 8) for axis in ((1, 0), (0, 1))]
    torn = np.clip(blur(np.abs(slopes).max((0, 3)), 2) / 0.4 - 0.5, 0, 0.5)[..., None]
    return drift + torn * (wide(drift, 12) - drift)


def frames(clip: NDArray[np.uint8], noise: NDArray[np.floating], cuts: tuple[int, ...] = ()) -> list[Frame]:
    """Frames of a clip (T, H, W, 3), their canvas carried along the optical flow; it starts anew at each cut."""
    drifts, motion = [np.zeros((*clip.shape[1:3], 2), np.float32)], _Motion(*clip.shape[1:3])
    greys = [cv2.cvtColor(np.ascontiguousarray(frame), cv2.COLOR_RGB2GRAY) for frame in clip]
    for t in range(1, len(clip)):
        if t in cuts:
            drifts.append(np.zeros_like(drifts[0]))
        else:
            back = motion(greys[t], greys[t - 1])
            drifts.append(_unfolded(motion.at(drifts[-1], back) + back[..., ::-1]))
    canvas: Kept = {}
    return [Frame(frame, noise, drift, canvas) for frame, drift in zip(clip, drifts, strict=True)]

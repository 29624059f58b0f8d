"""Marks that looks are made of: lines, hatching, cells, inks.  Thresholds are soft, patterns lie on the canvas.

A network that minimises a distance answers hard thresholds with grey (DESIGN.md, training).
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from reverie.models.train.looks.scene import Frame, Paint, Plane, Wish, blur, wide

COLOURS = {
    "red": (196, 30, 38), "orange": (232, 116, 24), "yellow": (240, 196, 30), "green": (36, 128, 62),
    "turquoise": (20, 150, 150), "blue": (28, 72, 180), "purple": (112, 44, 150), "pink": (232, 74, 140),
    "brown": (112, 66, 34), "black": (22, 20, 24),
}  # fmt: skip
LINE = {"fine": 0.65, "": 1.0, "bold": 1.7}


class Cells(NamedTuple):
    """The jittered cells of a lattice on the canvas, each pixel's nearest centre."""

    x: Plane  # screen coordinates of the centre
    y: Plane
    near: Plane  # distance to the centre in pitches
    gap: Plane  # distance to the second nearest centre less `near`
    number: Plane  # normal random number of the cell


def rgb(*colour: int) -> NDArray[np.floating]:
    return np.array(colour, np.float32) / 255


def ink(wish: Wish, *default: int) -> NDArray[np.floating]:
    return rgb(*(COLOURS[wish.colour] if wish.colour else default))


def ramp(x: Plane, low: float, high: float) -> Plane:
    """0 below low, 1 above high, smooth between."""
    t = np.clip((x - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def mix(a: NDArray[np.floating], b: NDArray[np.floating], share: Plane) -> Paint:
    s = cv2.merge((share, share, share)).astype(np.float32)  # an inner loop over three channels would be slow
    return a + s * (b - a)


def saturate(x: Paint, amount: float) -> Paint:
    grey = np.full((3, 3), (1 - amount) / 3, np.float32)
    return cv2.transform(np.asarray(x, np.float32), grey + amount * np.eye(3, dtype=np.float32))


def contrast(g: NDArray[np.floating], amount: float) -> NDArray[np.floating]:
    return np.clip((g - 0.5) * amount + 0.5, 0, 1)


def levels(x: NDArray[np.floating], count: int, softness: float = 0.2) -> NDArray[np.floating]:
    """Steps with soft edges."""
    t = np.clip(x, 0, 1) * count
    whole = np.floor(t)
    return (whole + ramp(t - whole, 0.5 - softness, 0.5 + softness)) / count


def glow(x: Paint, above: float, sigma: float) -> Paint:
    return blur(np.clip(x - above, 0, 1), sigma)


def edges(frame: Frame, low: float = 0.02, high: float = 0.10, sigma: float = 1.0) -> Plane:
    """Strength of luma edges, 0 to 1."""
    g = blur(frame.grey, sigma)
    return ramp(cv2.magnitude(cv2.Sobel(g, cv2.CV_32F, 1, 0), cv2.Sobel(g, cv2.CV_32F, 0, 1)) / 4, low, high)


def contours(frame: Frame, width: float = 1.0) -> Plane:
    """Thin edges of luma, 0 to 1: of what is textured all over only the strongest."""
    g = blur(frame.smooth @ rgb(77, 150, 28), 0.8 * width)
    m = _followed(frame, cv2.magnitude(cv2.Sobel(g, cv2.CV_32F, 1, 0), cv2.Sobel(g, cv2.CV_32F, 0, 1)) / 4)
    return ramp(m - 0.75 * blur(m, 2.5 * width) - 0.5 * wide(m, 12), 0.002, 0.022)


def detail(frame: Frame) -> Plane:
    """Where eyes, mouths and other fine shapes are, 0 to 1: marks are small or absent there."""
    return blur(edges(frame, 0.02, 0.09), 1.2)


def lines(frame: Frame, wish: Wish, sigma: float = 1.0, gain: float = 1.0) -> Plane:
    """Drawn lines: 1 on a line, 0 on paper; along the edges, and fewer where everything is texture.

    Source: flow-based XDoG, Winnemoeller 2011.
    """
    if not wish.outlines:
        return np.zeros_like(frame.grey)
    s = sigma * LINE[wish.line]
    g = blur(frame.smooth @ rgb(77, 150, 28), 0.6)
    dark = _followed(frame, (blur(g, 1.7 * s) - blur(g, s)) * gain)
    busy = np.clip(wide(abs(dark), 12) - 0.006, 0, 1)
    return ramp(dark / (1 + 90 * busy), 0.007, 0.03)


def _followed(frame: Frame, x: Plane, steps: int = 3) -> Plane:
    """The mean of x along the edges: dots that no edge joins vanish, lines stay whole."""
    down, right = frame.contour
    total = 2 * x
    for n in (n for n in range(-steps, steps + 1) if n):
        total += cv2.remap(x, frame.x + n * right, frame.y + n * down, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    return total / (2 * steps + 2)


def pitch(wish: Wish, normal: int) -> int:
    """Pixels from mark to mark: half or twice the normal for small or large ones."""
    return {"small": max(4, normal // 2), "": normal, "large": min(16, 2 * normal)}[wish.size]


def hatch(frame: Frame, pitch: int, down: int, right: int) -> Plane:
    """Triangle wave 0..1 across lines drawn by hand: 0 on the line, 1 between lines."""
    v, u = frame.hand
    t = np.mod(down * v + right * u, pitch) / pitch
    return 1 - np.abs(t * 2 - 1)


def dots(frame: Frame, pitch: int, slant: bool = True) -> Plane:
    """Distance to the nearest dot of a lattice: 0 at its middle, 1 at the corner between dots."""
    v, u = frame.sheet
    v, u = (v + u, v - u) if slant else (v, u)
    return np.hypot(np.mod(v, pitch) / pitch - 0.5, np.mod(u, pitch) / pitch - 0.5) * np.float32(np.sqrt(2))


def tooth(frame: Frame, sigma: float = 0.7, channel: int = 0) -> Plane:
    """Paper tooth, 0 to 1."""
    return np.clip(0.5 + 0.22 * frame.grain(sigma, channel), 0, 1)


def cells(frame: Frame, pitch: int, jitter: float = 0.3) -> Cells:
    """Cells of a jittered lattice; it is made once and lies on the canvas."""
    key = ("cells", pitch, jitter)
    if key not in frame.canvas:
        table = np.stack(_cells(frame, pitch, jitter)).astype(np.float32)
        frame.canvas[key] = np.ascontiguousarray(table.reshape(2, 3, *table.shape[1:]).transpose(0, 2, 3, 1))
    if key not in frame._kept:
        soft, hard = frame.canvas[key]
        at = lambda table, how: cv2.remap(table, frame.u, frame.v, how, borderMode=cv2.BORDER_WRAP)
        right, down, number = cv2.split(at(hard, cv2.INTER_NEAREST))
        near, gap, _ = cv2.split(at(soft, cv2.INTER_LINEAR))
        # the centres lie on the canvas: from the pixel's own place there, not from that of the nearest one
        du, dv = frame.u - np.rint(frame.u), frame.v - np.rint(frame.v)
        frame._kept[key] = np.stack((frame.x + right - du, frame.y + down - dv, near, gap, number))
    return Cells(*frame._kept[key])


def _cells(frame: Frame, pitch: int, jitter: float) -> tuple[Plane, ...]:
    """Of each pixel of the canvas: near, gap and again near, then right, down (pixels to the centre) and number."""
    v, u = frame.y / pitch, frame.x / pitch
    row, column = np.floor(v).astype(np.int32), np.floor(u).astype(np.int32)
    first, second, third = (frame.dice(pitch, channel) for channel in range(3))
    best, after = np.full_like(v, 9), np.full_like(v, 9)
    down, right, number = np.zeros_like(v), np.zeros_like(v), np.zeros_like(v)
    for di in (-1, 0, 1):
        for dj in (-1, 0, 1):
            at = np.mod(row + di, first.shape[0]), np.mod(column + dj, first.shape[1])
            dv = row + np.float32(di + 0.5) - v + jitter * first[at]
            du = column + np.float32(dj + 0.5) - u + jitter * second[at]
            d = np.hypot(dv, du)
            closer = d < best
            after = np.where(closer, best, np.minimum(after, d))
            best = np.where(closer, d, best)
            down, right = np.where(closer, dv, down), np.where(closer, du, right)
            number = np.where(closer, third[at], number)
    return best, after - best, best, right * pitch, down * pitch, number


def sampled(picture: Paint, at: Cells) -> Paint:
    """Each cell in the colour that the picture has at its centre."""
    return cv2.remap(picture, at.x, at.y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)


def along(frame: Frame, x: NDArray[np.floating], steps: int = 5, turn: float = 0.0) -> NDArray[np.floating]:
    """The mean of x along the shapes, `steps` pixels and a half to each side (line integral convolution)."""
    sine, cosine = frame.tangent
    if turn:
        angle = turn * frame.grain(12, 2)
        s, c = np.sin(angle), np.cos(angle)
        sine, cosine = sine * c + cosine * s, cosine * c - sine * s
    if x.ndim == 3:  # bytes are three times as quick, and a mean of many hides their steps
        x = (np.clip(x, 0, 1) * 255 + 0.5).astype(np.uint8)
    total = x.astype(np.float32)
    for n in (n for n in range(-steps, steps + 1) if n):
        at = frame.x + np.float32(1.5 * n) * cosine, frame.y + np.float32(1.5 * n) * sine
        total = cv2.add(total, cv2.remap(x, *at, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT), dtype=cv2.CV_32F)
    return total / np.float32((2 * steps + 1) * (255 if x.ndim == 3 else 1))


def stroked(frame: Frame, length: int) -> Plane:
    """Grain drawn out on the canvas from lower left to upper right, about -1 to 1: a hand that rubs to and fro."""
    key = ("stroked", length)
    if key not in frame.canvas:
        kernel = np.eye(2 * length + 1, dtype=np.float32)[::-1] / (2 * length + 1)
        drawn = cv2.filter2D(blur(frame.noise[2], 1.1), -1, kernel, borderType=cv2.BORDER_REFLECT)
        frame.canvas[key] = np.clip(drawn / (2 * drawn.std()), -1.2, 1.2)
    return frame.carried(frame.canvas[key])


def relief(height: Plane, depth: float) -> Plane:
    """Light from the upper left on a height field: above 0 lit, below 0 in the shade."""
    kernel = np.array([[-1, -1, 0], [-1, 0, 1], [0, 1, 1]], np.float32)
    return depth * cv2.filter2D(height, -1, kernel, borderType=cv2.BORDER_REFLECT)

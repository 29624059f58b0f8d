"""Marks that looks are made of: lines, hatching, cells, inks.  Thresholds are soft, patterns lie on the canvas.

A network that minimises a distance answers hard thresholds with grey (DESIGN.md, training).
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from reverie.models.train.looks.scene import Frame, Paint, Plane, Wish, blur

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
    s = share[..., None]
    return a * (1 - s) + b * s


def saturate(x: Paint, amount: float) -> Paint:
    g = x.mean(-1, keepdims=True)
    return g + (x - g) * amount


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
    return ramp(np.hypot(cv2.Sobel(g, cv2.CV_32F, 1, 0), cv2.Sobel(g, cv2.CV_32F, 0, 1)) / 4, low, high)


def lines(frame: Frame, wish: Wish, sigma: float = 1.0, gain: float = 1.0) -> Plane:
    """Drawn lines by difference of Gaussians: 1 on a line, 0 on paper.  Source: XDoG, Winnemoeller 2011."""
    if not wish.outlines:
        return np.zeros_like(frame.grey)
    s = sigma * LINE[wish.line]
    g = blur(frame.smooth @ rgb(77, 150, 28), 0.6)
    dark = (blur(g, 1.7 * s) - blur(g, s)) * gain
    return ramp(dark, 0.008, 0.04)


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
    v, u = (frame.v + frame.u, frame.v - frame.u) if slant else (frame.v, frame.u)
    return np.hypot(np.mod(v, pitch) / pitch - 0.5, np.mod(u, pitch) / pitch - 0.5) * np.float32(np.sqrt(2))


def tooth(frame: Frame, sigma: float = 0.7, channel: int = 0) -> Plane:
    """Paper tooth, 0 to 1."""
    return np.clip(0.5 + 0.22 * frame.grain(sigma, channel), 0, 1)


def cells(frame: Frame, pitch: int, jitter: float = 0.3, length: float = 1.0, turn: float = 0.0) -> Cells:
    """Cells of a jittered lattice; with a length above 1 they lie along the shapes, turned at random."""
    key = ("cells", pitch, jitter, length, turn)
    if key not in frame._kept:
        frame._kept[key] = np.stack(_cells(frame, pitch, jitter, length, turn))
    return Cells(*frame._kept[key])


def _cells(frame: Frame, pitch: int, jitter: float, length: float, turn: float) -> tuple[Plane, ...]:
    v, u = frame.v / pitch, frame.u / pitch
    row, column = np.floor(v), np.floor(u)
    first, second, third = (frame.dice(pitch, channel) for channel in range(3))
    rows, columns = first.shape
    sine, cosine = frame.tangent
    if turn:
        angle = turn * frame.grain(12, 2)
        s, c = np.sin(angle), np.cos(angle)
        sine, cosine = sine * c + cosine * s, cosine * c - sine * s
    i, j = row.astype(np.int32), column.astype(np.int32)
    best, after = np.full_like(v, 9), np.full_like(v, 9)
    down, right, number = np.zeros_like(v), np.zeros_like(v), np.zeros_like(v)
    for di in (-1, 0, 1):
        for dj in (-1, 0, 1):
            at = np.mod(i + di, rows) * columns + np.mod(j + dj, columns)
            dv = row + (di + 0.5) - v + jitter * first.ravel()[at]
            du = column + (dj + 0.5) - u + jitter * second.ravel()[at]
            if length == 1:
                d = np.hypot(dv, du)
            else:
                d = np.hypot((dv * sine + du * cosine) / length, (du * sine - dv * cosine) * length)
            closer = d < best
            after = np.where(closer, best, np.minimum(after, d))
            best = np.where(closer, d, best)
            down, right = np.where(closer, dv, down), np.where(closer, du, right)
            number = np.where(closer, third.ravel()[at], number)
    return frame.x + right * pitch, frame.y + down * pitch, best, after - best, number


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
    total = x.copy()
    for sign in (1.5, -1.5):
        for n in range(1, steps + 1):
            total += cv2.remap(
                x,
                frame.x + sign * n * cosine,
                frame.y + sign * n * sine,
                cv2.INTER_LINEAR,
                borderMode=cv2.BORDER_REFLECT,
            )
    return total / (2 * steps + 1)


def relief(height: Plane, depth: float) -> Plane:
    """Light from the upper left on a height field: above 0 lit, below 0 in the shade."""
    kernel = np.array([[-1, -1, 0], [-1, 0, 1], [0, 1, 1]], np.float32)
    return depth * cv2.filter2D(height, -1, kernel, borderType=cv2.BORDER_REFLECT)

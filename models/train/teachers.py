"""Looks as small programs: RGB uint8 (H, W, 3) to RGB uint8, deterministic, at most about 30 ms at 384x224.

Grids are anchored to the screen and their pitch divides `GRID`, so crops at multiples of `GRID` keep their phase.
Thresholds are soft: a network that minimises a distance answers a hard one with grey (DESIGN.md, training).
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

GRID = 8
Picture = NDArray[np.uint8]
Plane = NDArray[np.floating]


def grey(x: Picture) -> Plane:
    return cv2.cvtColor(x, cv2.COLOR_RGB2GRAY).astype(np.float32) / 255


def blur(x: NDArray[np.floating], sigma: float) -> NDArray[np.floating]:
    return cv2.GaussianBlur(x, (0, 0), sigma)


def to_u8(x: NDArray[np.floating]) -> Picture:
    """Floats in [0, 1] to bytes."""
    return (np.clip(x, 0, 1) * 255 + 0.5).astype(np.uint8)


def saturate(x: NDArray[np.floating], amount: float) -> NDArray[np.floating]:
    g = x.mean(-1, keepdims=True)
    return g + (x - g) * amount


def ramp(x: Plane, low: float, high: float) -> Plane:
    """0 below low, 1 above high, smooth between."""
    t = np.clip((x - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def edges(x: Picture, low: float = 0.02, high: float = 0.10, sigma: float = 1.0) -> Plane:
    """Strength of luma edges, 0 to 1."""
    g = blur(grey(x), sigma)
    return ramp(np.hypot(cv2.Sobel(g, cv2.CV_32F, 1, 0), cv2.Sobel(g, cv2.CV_32F, 0, 1)) / 4, low, high)


def lines(x: Picture, sigma: float = 1.2, gain: float = 14.0) -> Plane:
    """Dark drawn lines by difference of Gaussians: 1 on a line, 0 on paper.  Source: XDoG, Winnemoeller 2011."""
    g = grey(x)
    return np.clip((blur(g, sigma * 1.6) - blur(g, sigma)) * gain - 0.1, 0, 1)


def smooth(x: Picture, times: int = 3) -> NDArray[np.floating]:
    for _ in range(times):
        x = cv2.bilateralFilter(x, 7, 35, 5)
    return x.astype(np.float32) / 255


def levels(x: NDArray[np.floating], count: int, softness: float = 0.25) -> NDArray[np.floating]:
    """Steps with soft edges."""
    t = x * count
    whole, part = np.floor(t), t - np.floor(t)
    return (whole + ramp(part, 0.5 - softness, 0.5 + softness)) / count


def mix(a: NDArray[np.floating], b: NDArray[np.floating], share: Plane) -> NDArray[np.floating]:
    s = share[..., None]
    return a * (1 - s) + b * s


def ink(paper: tuple[int, int, int], colour: tuple[int, int, int], amount: Plane) -> Picture:
    return to_u8(mix(np.array(paper, np.float32) / 255, np.array(colour, np.float32) / 255, amount))


def contrast(g: Plane, amount: float) -> Plane:
    return np.clip((g - 0.5) * amount + 0.5, 0, 1)


def local(g: Plane, sigma: float = 24.0) -> Plane:
    """Luma with even exposure."""
    return np.clip(0.5 + (g - blur(g, sigma)) * 1.1 + (blur(g, sigma) - 0.5) * 0.6, 0, 1)


def grid(x: Picture) -> tuple[Plane, Plane]:
    y, z = np.mgrid[0 : x.shape[0], 0 : x.shape[1]].astype(np.float32)
    return y, z


def hatch(x: Picture, pitch: int, slant: int) -> Plane:
    """Triangle wave 0..1 across lines of a pitch; slant 0 is horizontal, 1 and -1 are the diagonals."""
    y, z = grid(x)
    return np.abs(((y + slant * z) % pitch) / pitch * 2 - 1)


def pencil(x: Picture) -> Picture:
    g = local(grey(x))
    dodge = np.clip(g / (blur(g, 7) + 1e-3), 0, 1) ** 2.2
    tone = 1 - g
    strokes = 0.5 * ramp(tone * 1.25 - hatch(x, 4, 1) * 0.75, 0, 0.4)
    return ink((250, 249, 246), (52, 52, 58), np.clip(1 - dodge + strokes + 0.7 * lines(x), 0, 1))


def charcoal(x: Picture) -> Picture:
    g = local(blur(grey(x), 1.2))
    smudge = ramp(1 - blur(contrast(g, 1.6), 2), 0.25, 0.95)
    return ink((226, 220, 208), (22, 20, 20), np.clip(0.9 * smudge + edges(x, 0.01, 0.08, 1.5), 0, 1))


def chalkboard(x: Picture) -> Picture:
    g = local(grey(x))
    dust = 0.5 * ramp(g - 0.45 - 0.25 * hatch(x, 4, -1), 0, 0.5)
    return ink((30, 62, 52), (246, 246, 236), np.clip(edges(x, 0.014, 0.08, 0.8) + dust, 0, 1))


def blueprint(x: Picture) -> Picture:
    y, z = grid(x)
    squares = ((y % 16 < 1) | (z % 16 < 1)).astype(np.float32)
    return ink(
        (18, 62, 150), (236, 244, 255), np.clip(edges(x, 0.014, 0.08, 0.8) + 0.13 * squares + 0.18 * grey(x), 0, 1)
    )


def engraving(x: Picture) -> Picture:
    tone = 1 - local(blur(grey(x), 0.8))
    amount = np.clip((tone * 1.25 - hatch(x, 4, 0)) * 3 + 0.45, 0, 1)
    return ink((243, 233, 208), (44, 30, 24), np.maximum(amount, edges(x, 0.04, 0.14)))


def watercolour(x: Picture) -> Picture:
    y = saturate(smooth(cv2.medianBlur(x, 7)), 1.6)
    washed = 1 - (1 - y) * 0.72
    rim = np.clip(blur(grey(x), 2) - blur(grey(x), 5), -0.06, 0.06)[..., None] * 1.5
    return to_u8(washed + rim - 0.35 * edges(x, 0.03, 0.16, 1.4)[..., None] * np.array([0.8, 0.9, 0.7], np.float32))


def oil(x: Picture) -> Picture:
    """Kuwahara filter of radius 5, its four quarters weighted softly.  Source: Kuwahara 1976; weights ours."""
    r, f = 5, x.astype(np.float32) / 255
    g = grey(x)
    total, weights = np.zeros_like(f), np.zeros_like(g)
    for ax in (0, r):
        for ay in (0, r):
            box = lambda p: cv2.boxFilter(p, -1, (r + 1, r + 1), anchor=(ax, ay), borderType=cv2.BORDER_REFLECT)  # noqa: B023
            spread = np.maximum(box(g * g) - box(g) ** 2, 0)
            weight = 1 / (spread + 2e-4) ** 3
            total += box(f) * weight[..., None]
            weights += weight
    y = total / weights[..., None]
    relief = cv2.filter2D(blur(y.mean(-1), 0.8), -1, np.array([[-1, -1, 0], [-1, 0, 1], [0, 1, 1]], np.float32))
    return to_u8(saturate(y, 1.55) * 1.04 + 0.35 * relief[..., None])


def cartoon(x: Picture) -> Picture:
    y = smooth(x)
    g = y.mean(-1, keepdims=True)
    stepped = y * (levels(g, 5, 0.2) + 0.06) / (g + 0.03)
    return to_u8(
        mix(
            np.clip(saturate(stepped, 1.7), 0, 1),
            np.zeros(3, np.float32),
            np.maximum(lines(x, 1.4, 20), edges(x, 0.05, 0.14)),
        )
    )


def comic(x: Picture) -> Picture:
    y, z = grid(x)
    dots = 1 - np.hypot((y % 8) - 3.5, (z % 8) - 3.5) / 5
    f = np.clip(saturate(smooth(x, 2), 2.4) * 1.1, 0, 1)
    pop = levels(f, 3, 0.22)
    shade = ramp(0.62 - blur(grey(x), 2), 0, 0.55)
    dotted = ramp(shade - (1 - dots), -0.15, 0.15) * 0.75
    black = np.maximum(lines(x, 1.5, 22), edges(x, 0.05, 0.13))
    pop = mix(pop * np.array([1.05, 1.0, 0.88], np.float32), np.array([0.12, 0.16, 0.45], np.float32), dotted)
    return to_u8(mix(pop, np.array([0.04, 0.03, 0.06], np.float32), np.clip(black, 0, 1)))


def pixel_art(x: Picture) -> Picture:
    h, w = x.shape[:2]
    small = cv2.resize(x, (w // GRID, h // GRID), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    return cv2.resize(
        to_u8(levels(np.clip(saturate(small, 1.6), 0, 1), 5, 0.3)), (w, h), interpolation=cv2.INTER_NEAREST
    )


def neon(x: Picture) -> Picture:
    e = edges(x, 0.012, 0.07)
    f = blur(x.astype(np.float32) / 255, 3)
    warm = ramp(f[..., 0] - f[..., 2], -0.15, 0.2)
    light = blur(grey(x), 8)
    colour = mix(
        np.array([0.1, 0.85, 1.0], np.float32), np.array([1.0, 0.15, 0.75], np.float32), warm * 0.6 + light * 0.4
    )
    line = colour * e[..., None]
    return to_u8(line * 1.1 + 1.3 * blur(line, 4) + 0.05 * f * colour)


def cyberpunk(x: Picture) -> Picture:
    f = x.astype(np.float32) / 255
    g = contrast(grey(x), 1.35)[..., None] * 0.95
    dark, mid, light = (np.array(c, np.float32) for c in ((0.04, 0.02, 0.20), (0.85, 0.10, 0.72), (0.30, 1.0, 0.98)))
    y = np.where(g < 0.5, dark + (mid - dark) * 2 * g, mid + (light - mid) * (2 * g - 1)) * 0.8 + 0.2 * f
    return to_u8(y + 0.8 * blur(np.clip(y - 0.6, 0, 1), 7))


def thermal(x: Picture) -> Picture:
    g = to_u8(blur(contrast(grey(x), 1.2), 1.5))
    return cv2.cvtColor(cv2.applyColorMap(g, cv2.COLORMAP_JET), cv2.COLOR_BGR2RGB)


def golden_hour(x: Picture) -> Picture:
    y = (x.astype(np.float32) / 255) ** np.array([0.75, 1.0, 1.5], np.float32)
    y = y * np.array([1.08, 0.9, 0.58], np.float32) + np.array([0.07, 0.03, 0.0], np.float32)
    return to_u8(y + 0.6 * blur(np.clip(y - 0.5, 0, 1), 9) * np.array([1, 0.8, 0.4], np.float32))


def noir(x: Picture) -> Picture:
    g = contrast(local(grey(x), 40), 2.1) ** 1.25
    return to_u8(
        g[..., None] * np.array([0.97, 0.98, 1.0], np.float32) + 0.15 * blur(np.clip(g - 0.7, 0, 1), 5)[..., None]
    )


def risograph(x: Picture) -> Picture:
    """Two inks, pink and blue, in crossing screens on cream paper."""
    tone = 1 - local(blur(grey(x), 0.7))
    pink = ramp(tone * 1.5 - 0.55 * hatch(x, 4, 1), 0.0, 0.55)
    blue = ramp(tone * 1.5 - 0.55 - 0.45 * hatch(x, 4, -1), 0.0, 0.4)
    paper = np.array([0.98, 0.95, 0.88], np.float32)
    inked = paper * (1 - pink[..., None] * (1 - np.array([1.0, 0.33, 0.52], np.float32)))
    return to_u8(inked * (1 - blue[..., None] * (1 - np.array([0.12, 0.32, 0.72], np.float32))))


def night_vision(x: Picture) -> Picture:
    y, _ = grid(x)
    g = local(grey(x)) ** 0.85
    g = g * (1 - 0.22 * (y % 4 < 2)) + 0.5 * blur(np.clip(g - 0.6, 0, 1), 5)
    return to_u8(g[..., None] * np.array([0.22, 1.0, 0.30], np.float32) + np.array([0.0, 0.05, 0.01], np.float32))


def pop_art(x: Picture) -> Picture:
    """Four flat inks by brightness: violet, red, yellow, pale."""
    g = blur(contrast(local(grey(x)), 1.3), 1.5) * 0.98
    inks = np.array([[0.20, 0.05, 0.45], [0.93, 0.13, 0.35], [1.0, 0.78, 0.05], [0.98, 0.97, 0.85]], np.float32)
    y = np.broadcast_to(inks[0], (*g.shape, 3)).astype(np.float32)
    for i, edge in enumerate((0.28, 0.5, 0.74)):
        y = mix(y, inks[i + 1], ramp(g, edge - 0.04, edge + 0.04))
    return to_u8(mix(y, np.array([0.1, 0.02, 0.2], np.float32), 0.8 * lines(x, 1.5, 20)))


def original(x: Picture) -> Picture:
    return x


MIRRORED = {
    "charcoal", "engraving", "watercolour", "cartoon", "comic", "pixel_art", "neon", "cyberpunk", "thermal",
    "golden_hour", "noir", "night_vision", "pop_art", "original",
}  # fmt: skip
"""Looks whose picture of a mirrored scene is the mirrored picture; the others have slanting lines or light."""

LOOKS: dict[str, Callable[[Picture], Picture]] = {
    f.__name__: f
    for f in (
        pencil, charcoal, chalkboard, blueprint, engraving, watercolour, oil, cartoon, comic, pixel_art, neon,
        cyberpunk, thermal, golden_hour, noir, risograph, night_vision, pop_art, original,
    )
}  # fmt: skip

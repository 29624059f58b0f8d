"""Painted looks."""

from __future__ import annotations

import cv2
import numpy as np

from reverie.models.train.looks.light import gradient
from reverie.models.train.looks.marks import (
    along,
    cells,
    contrast,
    detail,
    ink,
    levels,
    lines,
    mix,
    pitch,
    ramp,
    relief,
    rgb,
    sampled,
    saturate,
    stroked,
    tooth,
)
from reverie.models.train.looks.scene import Frame, Paint, Plane, Wish, blur  # fmt: skip


def tinted(x: Paint, w: Wish) -> Paint:
    """A palette that leans to the wished colour."""
    if not w.colour:
        return x
    g = (x @ rgb(77, 150, 28))[..., None]
    hue = ink(w)
    toned = np.where(g < 0.5, hue * (0.25 + 1.5 * g), hue + (1 - hue) * (2 * g - 1) * 0.9)
    return 0.3 * x + 0.7 * toned.astype(np.float32)


def kuwahara(f: Frame, r: int = 4) -> Paint:
    """Kuwahara filter, its four quarters weighted softly.  Source: Kuwahara 1976; weights ours."""
    g, total, weights = f.grey, np.zeros_like(f.colour), np.zeros_like(f.grey)
    for ax in (0, r):
        for ay in (0, r):
            box = lambda p: cv2.boxFilter(p, -1, (r + 1, r + 1), anchor=(ax, ay), borderType=cv2.BORDER_REFLECT)  # noqa: B023
            spread = np.maximum(box(g * g) - box(g) ** 2, 0)
            weight = 1 / (spread + 3e-4) ** 2
            total += box(f.colour) * weight[..., None]
            weights += weight
    return total / weights[..., None]


def oil(f: Frame, w: Wish) -> Paint:
    """Smooth classical oil: melted patches drawn along the form, fine bristles."""
    patches = kuwahara(f)
    drawn, bristle = brushed(f, patches, {"small": 2, "": 4, "large": 7}[w.size])
    y = tinted(saturate(contrast(mix(drawn, patches, detail(f)), 1.12), 1.35), w)
    lit = relief(0.16 * bristle + 0.5 * y.mean(-1), 0.18) * (1 - 0.5 * detail(f))
    return y * np.array([1.03, 1.0, 0.93], np.float32) + lit[..., None]


def brushed(f: Frame, colour: Paint, steps: int, dabs: Plane | float = 0.0, turn: float = 0.0) -> tuple[Paint, Plane]:
    """Colour drawn out along the form, and the bristles' height, about -1 to 1.

    Args: dabs: height of the dabs before they are drawn out.  turn: how far strokes leave the form.
    """
    bristle = 0.5 + 0.15 * (f.grain(0.7, 1) + dabs)
    both = along(f, np.dstack((colour, bristle)), steps, turn)
    return both[..., :3], (both[..., 3] - 0.5) / 0.15


def strokes(f: Frame, colour: Paint, step: int, turn: float, hue: float, depth: float) -> Paint:
    """Paint laid on along the form: streaks of slightly different colour, lit from the upper left; fine on faces.

    Args: step: pixels of a dab.  turn: how far strokes leave the form.  hue: how warm and cold its dabs are.
    """
    at, fine = cells(f, step, 0.38), 0.92 * ramp(detail(f), 0, 0.45)
    change = np.stack((at.number, 0.5 * at.number, -at.number), -1) * hue + 0.04 * at.number[..., None]
    dab, height = brushed(f, sampled(colour, at) * (1 + change), max(2, step // 2), 0.8 * at.number, turn)
    return mix(dab, colour, fine) + (relief(blur(height, 0.5), depth) * (1 - 0.7 * fine))[..., None]


def impasto(f: Frame, w: Wish) -> Paint:
    """Thick paint from a wide brush."""
    base = tinted(saturate(contrast(f.smooth, 1.12), 1.35), w)
    return np.clip(strokes(f, base, pitch(w, 8), 0.15, 0.03, 0.035), 0, 1)


def van_gogh(f: Frame, w: Wish) -> Paint:
    """Swirling strokes in ultramarine, ochre and yellow, dark contours."""
    palette = gradient(f.tone, (16, 34, 104), (84, 138, 150), (252, 214, 96))
    warm = ramp(blur(f.smooth[..., 0] - f.smooth[..., 2], 2), 0.1, 0.35)
    own = saturate(f.smooth, 1.6)
    base = tinted(mix(0.55 * palette + 0.45 * own, 0.25 * palette + 0.75 * own, warm), w)
    painted = strokes(f, base, pitch(w, 8), 0.6, 0.14, 0.07)
    return np.clip(mix(painted, rgb(14, 20, 62), 0.7 * lines(f, w, 1.5, 1.2)), 0, 1)


def watercolour(f: Frame, w: Wish) -> Paint:
    """Transparent washes that pool at their edges and leave the lights to the paper."""
    y = tinted(saturate(blur(f.smooth, 1.0), 1.6), w)
    g = blur(f.tone, 1.0) + 0.025 * f.grain(7)
    wash = levels(g, 6, 0.3)
    y = y * ((0.3 + wash) / (0.3 + np.clip(g, 0, 1)))[..., None]
    pool = np.clip(blur(wash, 3) - blur(wash, 0.8), 0, 0.1) * 1.3
    settled = 1 + (0.05 * f.grain(0.9) + 0.06 * f.grain(10, 1)) * (1 - wash)
    stain = (1 - np.clip(y, 0, 1)) * (settled * (0.84 - 0.34 * ramp(g, 0.45, 0.95)))[..., None]
    paper = rgb(253, 251, 246) - 0.008 * f.grain(0.8, 2)[..., None]
    return mix(np.clip(paper - stain - pool[..., None], 0, 1), rgb(72, 62, 70), 0.5 * lines(f, w, 0.9, 1.1))


def gouache(f: Frame, w: Wish) -> Paint:
    """Flat, matt, a little chalky."""
    patches = kuwahara(f, 5)
    drawn, dry = brushed(f, patches, 4)
    y = tinted(saturate(mix(drawn, patches, 0.8 * detail(f)), 1.35), w)
    g = y.mean(-1, keepdims=True)
    flat = y * (levels(g, 7, 0.25) + 0.06) / (g + 0.05)
    return np.clip(0.07 + 0.9 * flat + 0.014 * dry[..., None], 0, 1)


def pastel(f: Frame, w: Wish) -> Paint:
    """Soft sticks of colour on toned paper, which shows between the strokes."""
    y = tinted(saturate(blur(f.smooth, 1.2), 1.35), w)
    stick = stroked(f, {"small": 3, "": 6, "large": 12}[w.size])
    cover = ramp(0.76 + 0.26 * stick + 0.45 * (tooth(f, 0.8) - 0.5) + 0.4 * detail(f), 0.1, 0.85)
    chalk = np.clip(0.12 + 0.9 * y + 0.04 * stick[..., None], 0, 1)
    return mix(rgb(186, 172, 158), chalk, 0.3 + 0.7 * cover) - 0.28 * (lines(f, w, 1.4, 1.2) * cover)[..., None]


def pointillism(f: Frame, w: Wish) -> Paint:
    """Dots of pure colour, small on fine shapes, on a pale ground of the same."""
    base = tinted(saturate(contrast(f.smooth, 1.1), 1.4), w)
    ground = np.clip(0.22 + 0.74 * blur(base, 1.5), 0, 1)
    fine = ramp(detail(f), 0.15, 0.5)
    dots = lambda step: _dots(f, base, ground, step)
    big = dots(16) if w.size == "large" else dots(8)
    return mix(big, dots(4), fine)


def _dots(f: Frame, base: Paint, ground: Paint, step: int) -> Paint:
    at = cells(f, step, 0.24)
    shift = np.stack((at.number, -0.35 * at.number, -at.number), -1) * 0.07
    dot = np.clip(sampled(blur(base, step / 5), at) + shift, 0, 1)
    return mix(ground, dot, 0.95 * ramp(0.58 - at.near, 0, 0.8 / step))


def ukiyo_e(f: Frame, w: Wish) -> Paint:
    """Woodblock print after Hokusai: Prussian blues, cream paper, a key block of dark lines."""
    g = levels(blur(f.tone, 1.2), 5, 0.12)[..., None] * 4
    cream = rgb(245, 234, 208)
    blocks = [rgb(20, 34, 66), rgb(38, 78, 122), rgb(124, 160, 170), rgb(226, 206, 166), cream]
    if w.colour:
        dark, light = ([0.4, 0.8], [0.65, 0.3])
        blocks = [*(ink(w) * s + (1 - s) * 0.06 for s in dark), *(1 - (1 - ink(w)) * s for s in light), cream]
    paper = sum((np.clip(1 - np.abs(g - n), 0, 1) * block for n, block in enumerate(blocks)), np.zeros(3, np.float32))
    warm = ramp(blur(f.smooth[..., 0] - f.smooth[..., 2], 2), 0.12, 0.38)
    if not w.colour:
        paper = mix(paper, paper * rgb(255, 194, 148) + rgb(34, 10, 0), 0.85 * warm)
    grained = paper + 0.03 * cv2.blur(f.grain(0.8), (13, 1))[..., None]
    return mix(np.clip(grained, 0, 1), rgb(18, 22, 40), np.clip(lines(f, w, 1.1, 1.5), 0, 0.95))


def expressionist(f: Frame, w: Wish) -> Paint:
    """Broad strokes, green and blue in the shade, orange and yellow in the light, between Munch and Kandinsky."""
    stops = (24, 22, 66), (24, 92, 120), (150, 92, 110), (236, 120, 58), (250, 208, 110), (250, 238, 200)
    own = saturate(contrast(f.smooth, 1.15), 1.7)
    base = tinted(0.52 * gradient(blur(f.tone, 1.5) + 0.05 * f.grain(14, 1), *stops) + 0.48 * own, w)
    painted = strokes(f, np.clip(saturate(base, 1.35), 0, 1), pitch(w, 8), 0.5, 0.14, 0.04)
    return mix(painted, rgb(18, 16, 48), 0.85 * lines(f, w, 1.8, 1.3))

"""Painted looks."""

from __future__ import annotations

import cv2
import numpy as np

from reverie.models.train.looks.marks import (
    along,
    cells,
    contrast,
    edges,
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
    tooth,
)
from reverie.models.train.looks.scene import Frame, Paint, Wish, blur  # fmt: skip


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
    """Smooth classical oil: melted patches, fine bristles along the form."""
    y = tinted(saturate(contrast(kuwahara(f), 1.12), 1.45), w)
    bristle = along(f, f.grain(0.8), {"small": 3, "": 5, "large": 9}[w.size])
    return y * np.array([1.04, 1.0, 0.92], np.float32) + relief(0.10 * bristle + 0.5 * y.mean(-1), 0.16)[..., None]


def strokes(f: Frame, w: Wish, colour: Paint, step: int, length: float, turn: float, depth: float) -> Paint:
    """Thick dabs along the form, each in one colour, lit from the upper left."""
    at = cells(f, step, 0.38, length, turn)
    dab = sampled(colour, at) * (1 + 0.10 * at.number[..., None])
    height = 1 - np.clip(at.near * 1.4, 0, 1) ** 2 + 0.25 * ramp(at.gap, 0, 0.4)
    detail = blur(edges(f, 0.02, 0.09, 1.0), 1.2)  # a face keeps its eyes
    dab = mix(dab * (0.86 + 0.14 * ramp(at.gap, 0, 0.3))[..., None], colour, 0.8 * detail)
    return dab + (relief(blur(height, 0.6), depth) * (1 - 0.65 * detail))[..., None]


def impasto(f: Frame, w: Wish) -> Paint:
    base = tinted(saturate(contrast(blur(f.smooth, 0.8), 1.2), 1.7), w)
    return np.clip(strokes(f, w, base, pitch(w, 8), 1.55, 0.15, 0.10), 0, 1)


def van_gogh(f: Frame, w: Wish) -> Paint:
    """Swirling dabs in ultramarine, ochre and yellow."""
    g = f.tone[..., None]
    night, mid, sun = rgb(18, 34, 96), rgb(74, 128, 150), rgb(250, 206, 84)
    palette = np.where(g < 0.5, night + (mid - night) * 2 * g, mid + (sun - mid) * (2 * g - 1)).astype(np.float32)
    base = tinted(saturate(0.5 * palette + 0.5 * saturate(f.smooth, 1.8), 1.25), w)
    painted = strokes(f, w, base, pitch(w, 8), 1.7, 0.55, 0.09)
    return np.clip(mix(painted, rgb(14, 18, 50), 0.7 * lines(f, w, 1.5)), 0, 1)


def watercolour(f: Frame, w: Wish) -> Paint:
    y = tinted(saturate(blur(f.smooth, 1.0), 1.65), w)
    bleed = levels(y + 0.012 * f.grain(5)[..., None], 8, 0.35)
    wash = 1 - (1 - bleed) * 0.74
    edge = np.clip(blur(wash.mean(-1), 3) - blur(wash.mean(-1), 0.8), 0, 0.12)
    pigment = (0.04 * f.grain(1.0) + 0.03 * f.grain(9, 1)) * (1.15 - wash.mean(-1))
    line = 0.55 * lines(f, w, 0.9)
    return mix(np.clip(wash - 1.1 * edge[..., None] + pigment[..., None] + 0.02, 0, 1), rgb(70, 60, 70), line)


def gouache(f: Frame, w: Wish) -> Paint:
    """Flat, matt, a little chalky."""
    y = tinted(saturate(kuwahara(f, 5), 1.5), w)
    g = y.mean(-1, keepdims=True)
    flat = y * (levels(g, 6, 0.2) + 0.08) / (g + 0.06)
    dry = along(f, f.grain(0.9), 3)
    return np.clip(0.08 + 0.88 * flat + 0.02 * dry[..., None], 0, 1)


def pastel(f: Frame, w: Wish) -> Paint:
    """Soft sticks of colour on toned paper."""
    y = tinted(saturate(blur(f.smooth, 1.2), 1.5), w)
    stick = along(f, f.grain(0.8), {"small": 2, "": 4, "large": 8}[w.size], 0.3)
    cover = ramp(0.62 + 0.42 * stick, 0.1, 0.7)
    chalk = np.clip(0.16 + 0.9 * y + 0.05 * stick[..., None], 0, 1)
    return mix(rgb(196, 184, 168), chalk, 0.25 + 0.75 * cover) - 0.3 * (lines(f, w, 1.4) * cover)[..., None]


def pointillism(f: Frame, w: Wish) -> Paint:
    """Dots of pure colour on a pale ground of the same."""
    base = tinted(saturate(contrast(f.smooth, 1.15), 1.9), w)
    at = cells(f, 8 if w.size == "large" else 4, 0.28)
    shift = np.stack((at.number, -at.number * 0.4, -at.number), -1) * 0.13
    ground = np.clip(0.3 + 0.68 * blur(base, 1.5), 0, 1)
    return mix(ground, np.clip(sampled(blur(base, 0.8), at) + shift, 0, 1), 0.92 * ramp(0.56 - at.near, 0, 0.2))


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
        paper = mix(paper, paper * rgb(255, 190, 140) + rgb(30, 8, 0), 0.8 * warm)
    grained = paper + 0.018 * cv2.blur(f.grain(0.8), (13, 1))[..., None] * 3
    return mix(np.clip(grained, 0, 1), rgb(18, 22, 40), np.clip(lines(f, w, 1.2, 1.4), 0, 0.95))


def expressionist(f: Frame, w: Wish) -> Paint:
    """Broad dabs in unnatural, shifted colours with dark contours, between Munch and Kandinsky."""
    y = contrast(f.smooth, 1.25)
    hsv = cv2.cvtColor(np.clip(y, 0, 1), cv2.COLOR_RGB2HSV)
    hsv[..., 0] = np.mod(hsv[..., 0] + 40 * np.sin(6.3 * blur(f.tone, 4)), 360)
    hsv[..., 1] = np.clip(hsv[..., 1] * 1.5 + 0.3, 0, 1)
    base = tinted(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB), w)
    at = cells(f, pitch(w, 16), 0.35, 1.5, 0.4)
    dab = sampled(blur(base, 1.5), at)
    detail = edges(f, 0.02, 0.1, 1.2)
    return (
        mix(mix(dab, base, 0.35 + 0.6 * detail), rgb(16, 14, 40), 0.85 * lines(f, w, 1.8, 1.2))
        + 0.03 * tooth(f)[..., None]
        - 0.015
    )

"""Looks made of a material: glass, stone, thread, paper, clay, screens."""

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
)
from reverie.models.train.looks.painting import kuwahara, tinted
from reverie.models.train.looks.scene import Frame, Paint, Plane, Wish, blur  # fmt: skip


def stained_glass(f: Frame, w: Wish) -> Paint:
    """Panes of bright glass between lead, which follows the outlines; small panes where the form is fine."""
    fine = ramp(detail(f), 0.2, 0.45)
    base = tinted(saturate(contrast(f.smooth, 1.2), 1.9), w)
    wide_, small = (_panes(f, base, step) for step in ((8, 4) if w.size == "small" else (16, 8)))
    pane = mix(wide_[0], mix(small[0], base, 0.35 * fine), fine) + 0.02 * f.grain(1.5)[..., None]
    lead = np.maximum(wide_[1] * (1 - fine) + 0.55 * small[1] * fine, lines(f, w, 1.5, 1.5))
    return mix(pane + 0.3 * glow_of(pane), rgb(16, 14, 20), np.clip(lead, 0, 1))


def _panes(f: Frame, base: Paint, step: int) -> tuple[Paint, Plane]:
    """Glass, and the lead around it, 0 to 1."""
    at = cells(f, step, 0.42)
    pane = np.clip(sampled(blur(base, step / 8), at) * (1.02 + 0.12 * at.number[..., None]), 0.02, 1)
    return pane * (0.9 + 0.22 * ramp(at.gap, 0, 0.6))[..., None], 1 - ramp(at.gap, 0.03, 1.6 / step)


def glow_of(x: Paint) -> Paint:
    return blur(np.clip(x - 0.55, 0, 1), 4)


def mosaic(f: Frame, w: Wish) -> Paint:
    """Small stones in grey grout, the smallest where the form is fine."""
    base = tinted(saturate(contrast(f.smooth, 1.15), 1.4), w)
    fine = ramp(detail(f), 0.2, 0.5)
    wide_, small = (_stones(f, base, step) for step in (pitch(w, 8), 4))
    return mix(wide_, 0.5 * small + 0.5 * base, fine)


def _stones(f: Frame, base: Paint, step: int) -> Paint:
    at = cells(f, step, 0.2)
    stone = sampled(blur(base, step / 8), at) * (1 + 0.10 * at.number[..., None])
    lit = relief(blur(ramp(at.gap, 0, 0.3), 0.6), 0.05)
    grout = 0.55 * rgb(150, 144, 134) + 0.3 * base
    return mix(np.clip(stone + lit[..., None], 0, 1), grout, 0.85 * (1 - ramp(at.gap, 0.04, 1.6 / step)))


def pixel_art(f: Frame, w: Wish) -> Paint:
    """Square pixels in few colours: steps of light, strong hues."""
    step = {"small": 4, "": 4, "large": 8}[w.size]
    x = saturate(contrast(_small(f, step), 1.2), 1.5)
    g = x.mean(-1, keepdims=True)
    x = np.clip(x * (levels(g, 6, 0.15) + 0.03) / (g + 0.02), 0, 1)
    return _screen(tinted(x, w), f)


def eight_bit(f: Frame, w: Wish) -> Paint:
    """Four shades on the screen of a handheld console."""
    step = {"small": 4, "": 4, "large": 8}[w.size]
    g = contrast(
        cv2.resize(f.tone, (f.grey.shape[1] // step, f.grey.shape[0] // step), interpolation=cv2.INTER_AREA), 1.25
    )
    y, x = np.mgrid[0 : g.shape[0], 0 : g.shape[1]]
    g = levels(g + 0.03 * ((x + y) % 2 * 2 - 1), 3, 0.12)
    hue = ink(w, 110, 150, 30)
    shades = gradient(g, (16, 44, 18), (50, 94, 50), (134, 166, 30), (186, 206, 60))
    if w.colour:
        shades = mix(0.25 * hue, 0.55 + 0.45 * hue, g)
    grid = 1 - 0.12 * np.maximum(f.y % step < 1, f.x % step < 1)
    return _screen(shades, f) * grid[..., None].astype(np.float32)


def _small(f: Frame, step: int) -> Paint:
    return cv2.resize(f.colour, (f.grey.shape[1] // step, f.grey.shape[0] // step), interpolation=cv2.INTER_AREA)


def _screen(small: Paint, f: Frame) -> Paint:
    return cv2.resize(small.astype(np.float32), f.grey.shape[::-1], interpolation=cv2.INTER_NEAREST)


def paper_cut(f: Frame, w: Wish) -> Paint:
    """Sheets of coloured paper, each casting a shadow on the next."""
    g = levels(blur(f.tone, 2.2), 4, 0.06)
    sheets = gradient(g, (40, 54, 96), (64, 116, 138), (232, 132, 96), (246, 202, 140), (252, 242, 220))
    if w.colour:
        hue = ink(w)
        sheets = np.clip(gradient(g, (90, 90, 90), (200, 200, 200), (255, 255, 255)), 0, 1) * hue
        sheets = sheets + (1 - hue) * 0.92 * np.clip(2 * g - 0.8, 0, 1)[..., None]
    above = cv2.warpAffine(
        g, np.array([[1, 0, 3], [0, 1, 4]], np.float32), g.shape[::-1], borderMode=cv2.BORDER_REFLECT
    )
    shadow = np.clip(blur(np.clip(above - g, 0, 1), 2), 0, 0.25) * 1.8
    return (
        sheets * (1 - shadow)[..., None]
        + relief(g, 0.25)[..., None]
        + (0.012 * f.grain(0.8) + 0.01 * f.grain(2.5, 1))[..., None]
    )


def clay(f: Frame, w: Wish) -> Paint:
    """Modelling clay: rounded, matt forms in few colours, finger marks, soft light from the upper left."""
    y = tinted(saturate(kuwahara(f, 5), 1.45), w)
    g = y.mean(-1, keepdims=True)
    y = y * (levels(g, 5, 0.4) + 0.14) / (g + 0.12)
    height = blur(f.tone, 2.2) + 0.5 * blur(f.tone, 5) + 0.03 * along(f, f.grain(0.9, 1), 6) + 0.02 * f.grain(3.2)
    light = relief(height, 0.42)
    shine = 0.5 * np.clip(blur(light, 1.5), 0, 0.3)
    return np.clip(0.06 + 0.86 * y, 0, 1) * (1 + 1.9 * light)[..., None] + shine[..., None]


def embroidery(f: Frame, w: Wish) -> Paint:
    """Satin stitches along the form: threads of one colour each that catch the light."""
    at = cells(f, 8 if w.size == "large" else 4, 0.36)
    base = tinted(saturate(blur(contrast(f.smooth, 1.12), 1.0), 1.45), w)
    steps = 6 if w.size == "large" else 4
    thread = along(f, sampled(base, at) * (1 + 0.09 * at.number[..., None]), steps)
    twist = along(f, f.grain(0.55), steps)
    lit = 0.92 + 0.09 * np.clip(twist * 1.6, -1.6, 1.6) + relief(0.6 * twist, 0.06)
    return mix(thread, base, 0.5 * detail(f)) * lit[..., None]


def marble(f: Frame, w: Wish) -> Paint:
    """A carved statue: white stone, a few soft grey veins, light from the upper left."""
    height = blur(f.tone, 1.2)
    vein = np.exp(-np.square(f.grain(14, 1) + 0.25 * f.grain(4, 2) + 0.9) * 4) * ramp(f.grain(20, 2), -1.0, 1.2)
    g = 0.2 + 0.72 * contrast(height, 1.05) - 0.10 * vein + relief(height + 0.6 * blur(f.tone, 3), 0.2)
    stone = gradient(np.clip(g, 0, 1), (62, 64, 72), (146, 146, 150), (216, 213, 208), (252, 251, 248))
    stone = stone if not w.colour else 0.55 * stone + 0.45 * stone * (0.35 + 0.65 * ink(w) / ink(w).max())
    return stone - 0.18 * lines(f, w, 1.0)[..., None] + 0.2 * glow_of(stone)


def bronze(f: Frame, w: Wish) -> Paint:
    """Cast metal: dark hollows with a trace of green, gleaming edges."""
    height = blur(f.tone, 1.3)
    edge = relief(height + 0.5 * blur(f.tone, 3), 0.3)
    g = 0.06 + 0.78 * contrast(height, 1.1) + 1.1 * edge
    metal = gradient(np.clip(g, 0, 1), (16, 13, 12), (72, 46, 28), (146, 96, 50), (214, 160, 88), (255, 238, 196))
    patina = ramp(0.34 - height + 0.06 * f.grain(9, 1) - 2 * edge, 0, 0.3)
    return mix(metal, metal * 0.5 + rgb(36, 88, 80) * 0.5, 0.6 * patina) + 0.35 * glow_of(metal)

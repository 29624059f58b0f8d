"""Looks made of a material: glass, stone, thread, paper, clay, screens."""

from __future__ import annotations

import cv2
import numpy as np

from reverie.models.train.looks.light import gradient
from reverie.models.train.looks.marks import (
    along,
    cells,
    contrast,
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
from reverie.models.train.looks.painting import tinted
from reverie.models.train.looks.scene import Frame, Paint, Wish, blur  # fmt: skip


def stained_glass(f: Frame, w: Wish) -> Paint:
    """Panes of bright glass between lead."""
    at = cells(f, pitch(w, 16), 0.42)
    base = tinted(saturate(contrast(f.smooth, 1.3), 2.3), w)
    pane = np.clip(sampled(blur(base, 2), at) * (1.02 + 0.14 * at.number[..., None]), 0.02, 1)
    pane = pane * (0.86 + 0.3 * ramp(at.gap, 0, 0.6))[..., None] + 0.02 * f.grain(1.5)[..., None]
    lead = np.maximum(1 - ramp(at.gap, 0.04, 0.15), lines(f, w, 1.6, 1.3))
    return mix(pane + 0.3 * glow_of(pane), rgb(16, 14, 20), np.clip(lead, 0, 1))


def glow_of(x: Paint) -> Paint:
    return blur(np.clip(x - 0.55, 0, 1), 4)


def mosaic(f: Frame, w: Wish) -> Paint:
    """Small stones set along the form, pale grout."""
    at = cells(f, pitch(w, 8), 0.22, 1.15)
    base = tinted(saturate(contrast(f.smooth, 1.15), 1.5), w)
    stone = sampled(blur(base, 1), at) * (1 + 0.11 * at.number[..., None])
    lit = relief(blur(ramp(at.gap, 0, 0.3), 0.6), 0.07)
    return mix(np.clip(stone + lit[..., None], 0, 1), rgb(208, 200, 186), 0.9 * (1 - ramp(at.gap, 0.08, 0.22)))


def pixel_art(f: Frame, w: Wish) -> Paint:
    """Square pixels and a small palette."""
    step = {"small": 4, "": 4, "large": 8}[w.size]
    return _screen(tinted(levels(np.clip(saturate(contrast(_small(f, step), 1.2), 1.7), 0, 1), 5, 0.25), w), f)


def eight_bit(f: Frame, w: Wish) -> Paint:
    """Four shades on the screen of a handheld console."""
    step = {"small": 4, "": 4, "large": 8}[w.size]
    g = contrast(
        cv2.resize(f.tone, (f.grey.shape[1] // step, f.grey.shape[0] // step), interpolation=cv2.INTER_AREA), 1.25
    )
    y, x = np.mgrid[0 : g.shape[0], 0 : g.shape[1]]
    g = levels(g + 0.07 * ((x + y) % 2 * 2 - 1), 3, 0.2)
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
    """Modelling clay: rounded, matt, with finger marks."""
    y = tinted(saturate(blur(f.smooth, 2.2), 1.75), w)
    y = y * (levels(y.mean(-1, keepdims=True), 7, 0.35) + 0.1) / (y.mean(-1, keepdims=True) + 0.08)
    height = blur(f.tone, 2.6) * 2.2 + 0.05 * f.grain(3.2) + 0.03 * along(f, f.grain(1.0, 1), 4)
    return np.clip(0.05 + 0.9 * y, 0, 1) + relief(height, 0.34)[..., None]


def embroidery(f: Frame, w: Wish) -> Paint:
    """Satin stitches along the form on linen."""
    at = cells(f, 8 if w.size == "large" else 4, 0.3, 1.9)
    base = tinted(saturate(blur(contrast(f.smooth, 1.15), 1.2), 1.6), w)
    thread = sampled(base, at) * (1 + 0.10 * at.number[..., None])
    shine = ramp(at.gap, 0, 0.5)
    return thread * (0.8 + 0.24 * shine)[..., None] + relief(blur(shine, 0.5), 0.03)[..., None]


def marble(f: Frame, w: Wish) -> Paint:
    """A carved statue: white stone, grey veins, soft light."""
    height = blur(f.tone, 1.2)
    vein = np.exp(-np.square(f.grain(9, 1) + 0.35 * f.grain(3, 2)) * 30)
    g = 0.08 + 0.82 * contrast(height, 1.1) - 0.10 * vein + relief(height, 0.22)
    stone = gradient(np.clip(g, 0, 1), (52, 54, 62), (138, 138, 142), (214, 211, 205), (252, 251, 248))
    stone = stone if not w.colour else 0.55 * stone + 0.45 * stone * (0.35 + 0.65 * ink(w) / ink(w).max())
    return stone - 0.25 * lines(f, w, 1.0)[..., None] + 0.2 * glow_of(stone)


def bronze(f: Frame, w: Wish) -> Paint:
    """Cast metal with a green patina in the shade."""
    height = blur(f.tone, 1.5)
    g = contrast(height, 1.25) + 2.0 * relief(height, 0.25) + 0.02 * f.grain(1.2)
    metal = gradient(np.clip(g, 0, 1), (18, 14, 12), (74, 46, 26), (150, 96, 46), (226, 170, 92), (255, 240, 200))
    patina = ramp(0.45 - height + 0.12 * f.grain(5, 1), 0, 0.35)
    return mix(metal, metal * 0.4 + rgb(40, 100, 90) * 0.6, 0.75 * patina) + 0.4 * glow_of(metal)

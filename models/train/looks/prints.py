"""Printed looks: few inks, dots and screens."""

from __future__ import annotations

import cv2
import numpy as np

from reverie.models.train.looks.marks import (
    along,
    contrast,
    detail,
    dots,
    hatch,
    ink,
    levels,
    lines,
    mix,
    pitch,
    ramp,
    rgb,
    saturate,
    tooth,
)
from reverie.models.train.looks.painting import tinted
from reverie.models.train.looks.scene import Frame, Paint, Wish, blur  # fmt: skip


def comic(f: Frame, w: Wish) -> Paint:
    """Flat colours in four steps of light, dots in the shade, black lines."""
    y = saturate(np.clip(contrast(blur(f.smooth, 0.8), 1.25) + 0.08, 0, 1), 1.6)
    g = y.mean(-1, keepdims=True)
    flat = y * (levels(g, 4, 0.15) + 0.1) / (g + 0.06) * rgb(262, 255, 238)
    shade = ramp(0.56 - blur(f.tone, 2), 0, 0.5)
    dotted = ramp(0.8 * shade - dots(f, pitch(w, 8)), -0.08, 0.1) * 0.55
    black = np.maximum(lines(f, w, 1.2, 1.5), ramp(0.2 - blur(f.tone, 1), 0, 0.08))
    coloured = np.clip(tinted(np.clip(flat, 0, 1), w), 0, 1)
    return mix(mix(coloured, coloured * rgb(110, 80, 150), dotted), rgb(12, 10, 16), np.clip(black, 0, 1))


def manga(f: Frame, w: Wish) -> Paint:
    """Black ink, white paper, one screen tone whose dots shrink towards the light."""
    g = contrast(blur(f.tone, 1), 1.15)
    size = 0.62 * ramp(0.6 - g, -0.02, 0.14) + 0.3 * ramp(0.42 - g, 0, 0.15)
    tone = 0.9 * ramp(size - dots(f, pitch(w, 4)), -0.18, 0.18) * np.minimum(1, 4 * size)
    black = np.maximum(ramp(0.24 - g, 0, 0.07), lines(f, w, 1.0, 1.6))
    return mix(rgb(252, 252, 252), ink(w, 14, 14, 18), np.clip(np.maximum(tone, black), 0, 1))


def halftone(f: Frame, w: Wish) -> Paint:
    """One ink, round dots at 45 degrees."""
    dark = np.clip(1.0 - f.tone + 0.8 * (blur(f.grey, 2) - f.grey), 0, 1)
    return mix(rgb(248, 245, 236), ink(w, 20, 20, 26), ramp(1.08 * dark**0.9 - dots(f, pitch(w, 8)), -0.1, 0.1) * 0.95)


def risograph(f: Frame, w: Wish) -> Paint:
    """Two inks a little out of register on cream paper, grainy."""
    dark, step, speck = 1 - f.tone, pitch(w, 4), 0.07 * f.grain(0.7)
    first = ramp(dark * 1.45 - 0.5 * hatch(f, step, 1, 1) + speck, 0.1, 0.6)
    moved = cv2.warpAffine(
        dark, np.array([[1, 0, 2], [0, 1, 1]], np.float32), dark.shape[::-1], borderMode=cv2.BORDER_REFLECT
    )
    second = ramp(moved * 1.5 - 0.58 - 0.4 * hatch(f, step, 1, -1) + speck, 0.0, 0.4)
    paper = rgb(250, 243, 226) * (1 - (0.94 * first)[..., None] * (1 - ink(w, 255, 86, 130)))
    other = rgb(38, 62, 160) if w.colour not in ("blue", "purple", "black") else rgb(240, 110, 60)
    return paper * (1 - second[..., None] * (1 - other))


def woodcut(f: Frame, w: Wish) -> Paint:
    """Carved lines along the form, thick where it is dark; lights are cut away, faces cut fine."""
    carve = along(f, f.grain({"small": 0.7, "": 1.0, "large": 1.6}[w.size], 1), 7)
    dark, fine = 0.97 - f.tone, detail(f)
    middle = 4 * np.clip(dark, 0, 1) * (1 - np.clip(dark, 0, 1))
    amount = ramp(dark + 0.42 * carve * middle * (1 - 0.85 * fine), 0.45, 0.6)
    return mix(rgb(240, 230, 208), ink(w, 24, 20, 20), np.clip(np.maximum(amount, lines(f, w, 1.2, 1.5)), 0, 0.97))


def newspaper(f: Frame, w: Wish) -> Paint:
    """Small grey dots on yellowed paper."""
    dark = np.clip(contrast(1.0 - f.local, 1.4) + 0.9 * (blur(f.grey, 2) - f.grey), 0, 1)
    amount = ramp(1.05 * dark - 0.9 * dots(f, pitch(w, 4)), -0.2, 0.35) * (0.86 + 0.2 * tooth(f))
    paper = rgb(232, 225, 204) + 0.015 * f.grain(1.2)[..., None]
    return mix(paper, ink(w, 36, 34, 36), np.clip(np.maximum(amount, 0.5 * lines(f, w)), 0, 0.93))


def stencil(f: Frame, w: Wish) -> Paint:
    """Two sprayed layers on a concrete wall."""
    wall = rgb(198, 194, 188) + (0.03 * f.grain(3) + 0.025 * f.grain(0.7, 1))[..., None]
    spray, g = 0.022 * f.grain(0.7), blur(f.tone, 1.6)
    middle = ramp(0.60 - g + spray, -0.02, 0.05) * 0.94
    dark = ramp(0.38 - g + spray, -0.02, 0.05) * 0.96
    return mix(mix(wall, ink(w, 206, 44, 40), middle), rgb(24, 22, 26), dark)


def pop_art(f: Frame, w: Wish) -> Paint:
    """Flat inks by brightness: violet, red, yellow, pale."""
    g = blur(contrast(f.tone, 1.2), 1.2)
    second = ink(w, 238, 34, 90)
    y = np.broadcast_to(rgb(52, 14, 116), f.colour.shape)
    for at, colour in ((0.3, second), (0.5, rgb(255, 200, 12)), (0.72, rgb(250, 247, 218))):
        y = mix(y, colour, ramp(g, at - 0.025, at + 0.025))
    return mix(y, rgb(26, 6, 52), 0.85 * lines(f, w, 1.4, 1.3))

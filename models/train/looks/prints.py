"""Printed looks: few inks, dots and screens."""

from __future__ import annotations

import cv2
import numpy as np

from reverie.models.train.looks.marks import (
    along,
    contrast,
    dots,
    edges,
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
    """Pop colours, blue dots in the shade, black lines."""
    pop = levels(np.clip(saturate(blur(f.smooth, 0.8), 2.2) * 1.12, 0, 1), 4, 0.15)
    pop = tinted(pop * np.array([1.05, 1.0, 0.88], np.float32), w)
    shade = ramp(0.58 - blur(f.tone, 2), 0, 0.5)
    dotted = ramp(0.85 * shade - dots(f, pitch(w, 8)), -0.1, 0.12) * 0.7
    black = np.maximum(lines(f, w, 1.3, 1.5), ramp(0.2 - blur(f.tone, 1), 0, 0.08))
    return mix(mix(np.clip(pop, 0, 1), rgb(30, 40, 116), dotted), rgb(12, 10, 16), np.clip(black, 0, 1))


def manga(f: Frame, w: Wish) -> Paint:
    """Black ink, white paper, one screen tone."""
    g = contrast(f.tone, 1.15)
    tone = 0.72 * ramp(0.62 - g, 0, 0.12) * ramp(0.62 - 0.62 * dots(f, pitch(w, 4)), 0.18, 0.4)
    black = np.maximum(ramp(0.27 - g, 0, 0.09), lines(f, w, 1.0, 1.5))
    return mix(rgb(252, 252, 252), ink(w, 14, 14, 18), np.clip(np.maximum(tone, black), 0, 1))


def halftone(f: Frame, w: Wish) -> Paint:
    """One ink, round dots at 45 degrees."""
    dark = contrast(1.06 - f.local, 1.25)
    return mix(rgb(248, 245, 236), ink(w, 20, 20, 26), ramp(1.1 * dark**0.8 - dots(f, pitch(w, 8)), -0.1, 0.1) * 0.95)


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
    """Carved lines along the form, thick where it is dark."""
    carve = along(f, f.grain({"small": 0.7, "": 1.0, "large": 1.6}[w.size], 1), 7)
    dark = 0.97 - f.tone
    detail = blur(edges(f, 0.02, 0.09, 1.0), 1.2)
    amount = ramp(dark + 0.40 * carve * (1 - 0.8 * detail), 0.46, 0.62)
    return mix(rgb(240, 230, 208), ink(w, 24, 20, 20), np.clip(np.maximum(amount, lines(f, w, 1.3, 1.4)), 0, 0.97))


def newspaper(f: Frame, w: Wish) -> Paint:
    """Small grey dots on yellowed paper."""
    dark = contrast(1.03 - f.local, 1.35)
    amount = ramp(1.1 * dark - 0.85 * dots(f, pitch(w, 4)), -0.12, 0.22) * (0.82 + 0.2 * tooth(f))
    paper = rgb(226, 218, 196) + 0.02 * f.grain(1.2)[..., None]
    return mix(paper, ink(w, 44, 42, 44), np.clip(np.maximum(amount, 0.6 * lines(f, w)), 0, 0.93))


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

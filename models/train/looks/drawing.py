"""Drawn looks: one ink on a paper."""

from __future__ import annotations

import numpy as np

from reverie.models.train.looks.marks import (
    LINE,
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
from reverie.models.train.looks.scene import Frame, Paint, Wish, blur  # fmt: skip


def pencil(f: Frame, w: Wish) -> Paint:
    g = f.local
    dodge = np.clip(g / (blur(g, 6 * LINE[w.line]) + 1e-3), 0, 1) ** (2.4 if w.outlines else 0.6)
    step, dark = pitch(w, 4), 1 - f.tone
    strokes = 0.55 * ramp(dark * 1.15 - 0.7 * hatch(f, step, 1, 1), -0.05, 0.4)
    strokes += 0.35 * ramp(dark * 1.25 - 0.55 - 0.4 * hatch(f, step, 1, -1), 0, 0.3)
    amount = (1 - dodge + strokes) * (0.7 + 0.6 * tooth(f)) + 0.7 * lines(f, w)
    return mix(rgb(250, 249, 245), ink(w, 50, 50, 56), np.clip(amount, 0, 0.95))


def charcoal(f: Frame, w: Wish) -> Paint:
    dark = blur(1 - f.tone, 1.2)
    rough = tooth(f, 1.0)
    smudge = ramp(dark * 1.15 + 0.22 * (rough - 0.5), 0.3, 0.95)
    stroke = edges(f, 0.015, 0.09, 1.3 * LINE[w.line]) * (0.55 + 0.6 * rough) * w.outlines
    return mix(rgb(228, 221, 208), ink(w, 24, 22, 22), np.clip(0.92 * smudge + 0.8 * stroke, 0, 0.97))


def ink_wash(f: Frame, w: Wish) -> Paint:
    dark = 1 - blur(f.tone, 1.5) + 0.018 * f.grain(5)
    wash = levels(ramp(dark, 0.25, 1.05), 4, 0.12)
    rim = np.clip(blur(wash, 1) - blur(wash, 4), -0.2, 0.2) * 0.7
    brush = lines(f, w, 1.8, 1.3) * (0.75 + 0.5 * tooth(f, 1.2, 1))
    amount = np.clip(0.78 * wash + rim + brush + 0.03 * f.grain(0.8), 0, 0.95)
    return mix(rgb(244, 239, 226), ink(w, 26, 28, 36), amount)


def chalkboard(f: Frame, w: Wish) -> Paint:
    rough = tooth(f, 0.8)
    dust = 0.62 * ramp(f.local - 0.5 - 0.3 * hatch(f, pitch(w, 8), 1, -1), 0, 0.45) * (0.4 + 0.9 * rough)
    line = edges(f, 0.02, 0.085, 0.8 * LINE[w.line]) * (0.5 + 0.7 * rough) * w.outlines
    board = rgb(34, 60, 50) + 0.02 * f.grain(6)[..., None]
    return mix(board, rgb(245, 245, 236) if not w.colour else 0.55 + 0.45 * ink(w), np.clip(line + dust, 0, 0.97))


def blueprint(f: Frame, w: Wish) -> Paint:
    squares = np.maximum(f.y % 16 < 1, f.x % 16 < 1).astype(np.float32)
    line = edges(f, 0.018, 0.075, 0.7 * LINE[w.line])
    shade = 0.22 * ramp(f.local - 0.2 - 0.5 * hatch(f, 8, 1, 1), 0, 0.5)
    return mix(ink(w, 20, 64, 150), rgb(234, 243, 255), np.clip(line + 0.12 * squares + shade, 0, 1))


def engraving(f: Frame, w: Wish) -> Paint:
    """Lines that swell with the shade and bend with the form."""
    step, bend = pitch(w, 4), 5 * blur(f.tone, 3)
    v, _ = f.hand
    wave = np.abs(np.mod(v + bend, step) / step * 2 - 1)
    dark = 1.05 - f.tone
    amount = ramp(dark * LINE[w.line] ** 0.3 - wave, -0.22, 0.22)
    amount = np.maximum(amount, ramp(dark - 0.62 - 0.35 * hatch(f, step, 1, 1), -0.05, 0.1))
    return mix(rgb(243, 234, 211), ink(w, 40, 28, 24), np.clip(np.maximum(amount, lines(f, w)), 0, 0.95))


def crosshatch(f: Frame, w: Wish) -> Paint:
    dark, step, total = 1 - f.tone, pitch(w, 8), np.zeros_like(f.grey)
    for start, down, right in ((0.22, 1, 1), (0.42, 1, -1), (0.6, 1, 0), (0.76, 0, 1)):
        wide = 0.30 * LINE[w.line] * ramp(dark, start, start + 0.3)
        total = np.maximum(
            total, ramp(wide - hatch(f, step, down, right), -0.12, 0.12) * ramp(dark, start, start + 0.06)
        )
    return mix(rgb(250, 246, 236), ink(w, 26, 26, 34), np.clip(np.maximum(total, lines(f, w, 1.1, 1.2)), 0, 0.95))


def crayon(f: Frame, w: Wish) -> Paint:
    """Wax on paper: strokes that leave the tooth white, wobbling coloured outlines."""
    wax = saturate(levels(blur(f.smooth, 1.5), 5), 2.0) if not w.colour else mix(ink(w), rgb(255, 255, 255), f.tone)
    step = pitch(w, 8)
    cover = 1.05 - 0.75 * blur(f.grey, 2) + 0.32 * (tooth(f, 1.1) - 0.5) * 2 - 0.28 * hatch(f, step, 1, 1)
    drawn = mix(rgb(252, 250, 243), np.clip(wax * 0.95, 0, 1), 0.92 * ramp(cover, 0.1, 0.5))
    line = lines(f, w, 1.6, 1.2) * (0.45 + 0.75 * tooth(f, 1.1, 1))
    return mix(drawn, np.clip(wax * 0.35, 0, 1), np.clip(line, 0, 0.95))


def ballpoint(f: Frame, w: Wish) -> Paint:
    """Scribbled blue lines, denser in the shade."""
    dark, total = 1 - f.tone, np.zeros_like(f.grey)
    loops = 2.2 * f.grain(7, 2)
    for start, down, right in ((0.2, 1, 2), (0.5, 2, -1)):
        v, u = f.hand
        t = np.abs(np.mod(down * v + right * u + loops, pitch(w, 8)) / pitch(w, 8) * 2 - 1)
        total += 0.7 * ramp(ramp(dark, start, 0.95) * 0.8 * LINE[w.line] - t, -0.15, 0.2)
    return mix(rgb(249, 248, 244), ink(w, 30, 48, 150), np.clip(total + lines(f, w), 0, 0.92))

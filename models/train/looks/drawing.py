"""Drawn looks: one ink on a paper."""

from __future__ import annotations

import numpy as np

from reverie.models.train.looks.marks import (
    LINE,
    contours,
    detail,
    hatch,
    ink,
    levels,
    lines,
    mix,
    pitch,
    ramp,
    rgb,
    saturate,
    stroked,
    tooth,
)
from reverie.models.train.looks.scene import Frame, Paint, Wish, blur  # fmt: skip


def pencil(f: Frame, w: Wish) -> Paint:
    """Soft graphite: dodged shading, strokes of the slanted hand, firm contours."""
    g = f.local
    dodge = np.clip(g / (blur(g, 6 * LINE[w.line]) + 1e-3), 0, 1) ** (1.6 if w.outlines else 0.5)
    step, dark = pitch(w, 4), blur(1 - f.tone, 1)
    strokes = 0.62 * ramp(dark * 1.2 - 0.25 - 0.35 * hatch(f, step, 1, 1), -0.1, 0.6)
    strokes += 0.25 * ramp(dark * 1.25 - 0.7 - 0.3 * hatch(f, step, 1, -1), 0, 0.3)
    amount = (0.8 * (1 - dodge) + strokes) * (0.55 + 0.9 * tooth(f)) + 0.75 * lines(f, w, 0.9, 1.2)
    return mix(rgb(250, 249, 245), ink(w, 46, 46, 52), np.clip(amount, 0, 0.93))


def charcoal(f: Frame, w: Wish) -> Paint:
    """Smudged shade on toned paper, broken black strokes."""
    dark, rough = blur(1 - f.tone, 1.2), tooth(f, 1.0)
    smudge = ramp(dark * 1.1 + 0.2 * (rough - 0.5) + 0.04 * f.grain(8, 1), 0.28, 1.0)
    stroke = lines(f, w, 1.5, 1.3) * (0.6 + 0.6 * rough)
    return mix(rgb(228, 221, 208), ink(w, 24, 22, 22), np.clip(0.9 * smudge + 0.85 * stroke, 0, 0.97))


def ink_wash(f: Frame, w: Wish) -> Paint:
    """Diluted ink in four washes that pool at their rims, a wet brush for the contours."""
    dark = 1 - blur(f.tone, 1.5) + 0.02 * f.grain(6)
    wash = levels(ramp(dark, 0.25, 1.05), 4, 0.2)
    rim = np.clip(blur(wash, 1) - blur(wash, 4), -0.2, 0.2) * 0.6
    brush = lines(f, w, 1.7, 1.3) * (0.75 + 0.5 * tooth(f, 1.2, 1))
    amount = np.clip(0.72 * wash + rim + brush + 0.025 * f.grain(0.8), 0, 0.95)
    return mix(rgb(244, 239, 226), ink(w, 26, 28, 36), amount)


def chalkboard(f: Frame, w: Wish) -> Paint:
    """What is lit is chalked, what is dark stays board."""
    rough = tooth(f, 0.8)
    lit = ramp(blur(f.tone, 1.2), 0.1, 1.0)
    chalk = ramp(lit - 0.34 * hatch(f, pitch(w, 8), 1, -1), 0, 0.8) * (0.25 + 0.95 * rough)
    line = contours(f, 1.3 * LINE[w.line]) * (0.5 + 0.7 * rough) * w.outlines
    board = rgb(33, 56, 48) + 0.012 * f.grain(6)[..., None]
    amount = np.clip(0.95 * line + 0.74 * chalk, 0, 0.97)
    return mix(board, rgb(243, 243, 234) if not w.colour else 0.55 + 0.45 * ink(w), amount)


def blueprint(f: Frame, w: Wish) -> Paint:
    """Thin white lines on a squared blue sheet; light areas are hatched."""
    squares = np.maximum(f.y % 16 < 1, f.x % 16 < 1).astype(np.float32)
    line = contours(f, LINE[w.line])
    shade = 0.36 * ramp(f.tone - 0.35 - 0.4 * hatch(f, 4, 1, 1), -0.1, 0.6)
    amount = np.clip(0.95 * line + 0.10 * squares + shade, 0, 1)
    return mix(ink(w, 20, 62, 146) * (1 + 0.02 * f.grain(8)[..., None]), rgb(234, 243, 255), amount)


def engraving(f: Frame, w: Wish) -> Paint:
    """Lines that swell with the shade and bend with the form; eyes and mouths are cut finer."""
    step, bend, fine = pitch(w, 4), 4 * blur(f.tone, 5), detail(f)
    wave = np.abs(np.mod(f.sheet[0] + 0.35 * f.grain(6, 1) + bend, step) / step * 2 - 1)
    dark = 1.02 - f.tone + 0.9 * (blur(f.local, 2.5) - f.local)
    amount = ramp(dark * LINE[w.line] ** 0.3 - 0.1 - 0.8 * wave, -0.3, 0.3)
    amount = np.maximum(amount, ramp(dark - 0.66 - 0.35 * hatch(f, step, 1, 1), -0.05, 0.12))
    amount = amount * (1 - 0.45 * fine) + 0.45 * fine * ramp(dark, 0.2, 0.75)
    return mix(rgb(243, 234, 211), ink(w, 40, 28, 24), np.clip(np.maximum(amount, lines(f, w, 1.1, 1.6)), 0, 0.95))


def crosshatch(f: Frame, w: Wish) -> Paint:
    """Pen and ink: up to four layers of strokes in the shade, thinner where the form is fine."""
    dark, step, total = 0.98 - f.tone, pitch(w, 8), np.zeros_like(f.grey)
    fine = 1 - 0.5 * detail(f)
    for start, down, right in ((0.26, 1, 1), (0.46, 1, -1), (0.62, 2, 1), (0.78, 1, 2)):
        shade = ramp(dark, start, start + 0.3) * fine
        total = np.maximum(total, ramp(0.04 + 0.30 * LINE[w.line] * shade - hatch(f, step, down, right), -0.13, 0.13)
                           * np.minimum(1, 3 * shade))  # fmt: skip
    black = np.maximum(lines(f, w, 1.0, 1.5), ramp(dark, 0.88, 1.0))
    return mix(rgb(250, 246, 236), ink(w, 26, 26, 34), np.clip(np.maximum(total, black), 0, 0.95))


def crayon(f: Frame, w: Wish) -> Paint:
    """Wax rubbed to and fro: slanted strokes that leave paper between them, wobbling coloured outlines."""
    wax = (
        saturate(f.smooth * (levels(f.grey, 5, 0.3) + 0.08)[..., None] / (f.grey + 0.05)[..., None], 1.7)
        if not w.colour
        else mix(ink(w), rgb(255, 255, 255), f.tone)
    )
    rub = stroked(f, {"small": 3, "": 5, "large": 9}[w.size]) + 1.1 * (tooth(f, 0.9) - 0.5)
    cover = 0.95 - 0.42 * blur(f.grey, 2) + 0.3 * rub + 0.35 * detail(f)
    wax = np.clip(wax * (0.95 - 0.09 * rub[..., None]) + 0.04, 0, 1)
    drawn = mix(rgb(252, 250, 243), wax, 0.95 * ramp(cover, 0.1, 0.8))
    line = lines(f, w, 1.7, 1.3) * (0.5 + 0.7 * tooth(f, 1.1, 1))
    return mix(drawn, wax * 0.3, np.clip(line, 0, 0.95))


def ballpoint(f: Frame, w: Wish) -> Paint:
    """Scribbled blue lines, denser in the shade."""
    dark, total, v_u = 1 - f.tone, np.zeros_like(f.grey), f.hand
    loops = 2.2 * f.grain(7, 2)
    for start, down, right in ((0.24, 1, 2), (0.5, 2, -1)):
        t = np.abs(np.mod(down * v_u[0] + right * v_u[1] + loops, pitch(w, 8)) / pitch(w, 8) * 2 - 1)
        shade = ramp(dark, start, 0.95)
        total += 0.7 * ramp(shade * 0.8 * LINE[w.line] - t, -0.15, 0.2) * np.minimum(1, 8 * shade)
    return mix(rgb(249, 248, 244), ink(w, 30, 48, 150), np.clip(total + lines(f, w, 1.0, 1.2), 0, 0.92))

"""Drawn figures: flat colour between lines."""

from __future__ import annotations

import numpy as np

from reverie.models.train.looks.marks import levels, lines, mix, ramp, rgb, saturate, tooth
from reverie.models.train.looks.painting import kuwahara, tinted
from reverie.models.train.looks.scene import Frame, Paint, Wish, blur  # fmt: skip


def _stepped(y: Paint, count: int, softness: float) -> Paint:
    g = y.mean(-1, keepdims=True)
    return y * (levels(g, count, softness) + 0.07) / (g + 0.04)


def cartoon(f: Frame, w: Wish) -> Paint:
    """Saturday morning: few flat colours, bold black lines."""
    flat = np.clip(saturate(_stepped(blur(f.smooth, 1.2), 4, 0.1), 1.85) * 1.05, 0, 1)
    return mix(tinted(flat, w), rgb(10, 8, 14), np.clip(lines(f, w, 1.5, 1.6), 0, 1))


def anime(f: Frame, w: Wish) -> Paint:
    """Cel shading: clean two-step shade, cool shadows, thin lines, airy light."""
    y = np.clip(saturate(kuwahara(f, 4), 1.4) * 0.98 + 0.03, 0, 1)
    lit = ramp(blur(f.tone, 1.6), 0.40, 0.48)[..., None]
    shaded = y * np.array([0.70, 0.70, 0.92], np.float32)
    y = np.clip(shaded * (1 - lit) + y * lit * 1.06 + 0.02, 0, 1)
    y = tinted(y, w) + 0.35 * blur(np.clip(y - 0.65, 0, 1), 6)
    return mix(y, rgb(60, 40, 62), 0.9 * lines(f, w, 0.9, 1.4))


def storybook(f: Frame, w: Wish) -> Paint:
    """A picture book: warm gouache on grainy paper, soft brown pencil lines."""
    y = tinted(saturate(_stepped(blur(f.smooth, 1.0), 6, 0.3), 1.3), w)
    y = y * np.array([1.0, 0.95, 0.82], np.float32) + np.array([0.07, 0.055, 0.03], np.float32)
    y = y * (1 + 0.014 * f.grain(1.0) + 0.014 * f.grain(7, 1))[..., None]
    return mix(np.clip(y, 0, 1), rgb(92, 60, 44), lines(f, w, 1.1, 1.4) * (0.55 + 0.45 * tooth(f, 0.9)))

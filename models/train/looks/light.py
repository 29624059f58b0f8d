"""Light and film: grades, glows, lenses."""

from __future__ import annotations

import cv2
import numpy as np

from reverie.models.train.looks.marks import (
    LINE,
    cells,
    contrast,
    edges,
    glow,
    ink,
    mix,
    pitch,
    ramp,
    rgb,
    saturate,
)
from reverie.models.train.looks.scene import Frame, Paint, Plane, Wish, blur  # fmt: skip


def gradient(g: Plane, *stops: tuple[int, int, int]) -> Paint:
    """Colours along brightness, evenly spaced."""
    table = np.stack([rgb(*stop) for stop in stops])
    t = np.clip(g, 0, 1) * (len(stops) - 1)
    low = np.minimum(t.astype(np.int32), len(stops) - 2)
    part = (t - low)[..., None]
    return table[low] * (1 - part) + table[low + 1] * part


def noir(f: Frame, w: Wish) -> Paint:
    g = np.clip(contrast(0.6 * f.local + 0.4 * f.grey, 1.9), 0, 1) ** 1.2
    g = g + 0.025 * f.grain(0.8) * (1 - abs(2 * g - 1))
    return g[..., None] * np.array([0.97, 0.98, 1.0], np.float32) + 0.25 * glow(g[..., None].repeat(3, 2), 0.7, 6)


def golden_hour(f: Frame, w: Wish) -> Paint:
    y = f.colour ** np.array([0.78, 1.0, 1.35], np.float32)
    y = contrast(y, 1.08) * np.array([1.06, 0.91, 0.64], np.float32) + np.array([0.06, 0.03, 0.02], np.float32)
    return y + 0.75 * glow(y, 0.5, 9) * np.array([1, 0.75, 0.35], np.float32)


def cyberpunk(f: Frame, w: Wish) -> Paint:
    y = gradient(contrast(f.tone, 1.2), (8, 6, 36), (92, 14, 120), (232, 40, 170), (90, 220, 250), (230, 255, 255))
    cool = ramp(blur(f.smooth[..., 2] - f.smooth[..., 0], 3), -0.1, 0.2)
    other = gradient(contrast(f.tone, 1.2), (6, 8, 36), (14, 40, 110), (20, 130, 200), (80, 240, 250), (240, 255, 255))
    y = 0.82 * mix(y, other, 0.8 * cool) + 0.18 * f.colour
    return y + 0.9 * glow(y, 0.55, 7)


def neon(f: Frame, w: Wish) -> Paint:
    """Glowing tubes along the edges, dark elsewhere."""
    e = edges(f, 0.016, 0.075, 0.9 * LINE[w.line])
    base, light = blur(f.colour, 3), blur(f.grey, 8)
    warm = ramp(base[..., 0] - base[..., 2], -0.1, 0.22)
    hue = mix(rgb(24, 216, 255), rgb(255, 40, 190), np.clip(warm * 0.7 + light * 0.3, 0, 1))
    hue = hue if not w.colour else np.clip(ink(w) * 1.25 + 0.06, 0, 1) + 0 * hue
    tube = hue * e[..., None]
    return rgb(6, 5, 16) + 0.07 * base * hue + tube + 1.2 * blur(tube, 4) + 0.4 * (ramp(e, 0.75, 1))[..., None]


def night_rain(f: Frame, w: Wish) -> Paint:
    """A wet street at night, seen through drops on a window."""
    at = cells(f, pitch(w, 16), 0.4)
    inside = ramp(0.34 + 0.08 * at.number - at.near, 0, 0.08)
    x = at.x + (f.x - at.x) * (1 - 2.2 * inside)
    y = at.y + (f.y - at.y) * (1 - 2.2 * inside)
    seen = cv2.remap(blur(f.colour, 1.2), x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    g = seen @ rgb(77, 150, 28)
    night = 0.55 * gradient(contrast(g, 1.3), (4, 8, 22), (14, 36, 66), (66, 106, 132), (250, 206, 140)) + 0.32 * seen
    shine = inside * ramp((f.y - at.y) / 16 + 0.1, -0.05, 0.3) * 0.16
    return night + 0.9 * glow(night, 0.5, 8) * rgb(255, 190, 110) + shine[..., None]


def infrared(f: Frame, w: Wish) -> Paint:
    """False-colour infrared film: leaves crimson, skies teal."""
    r, g, b = (f.colour[..., i] for i in range(3))
    leaf = ramp(blur(g - np.maximum(r, b) + 0.02, 1), 0.0, 0.12)
    lum = contrast(0.5 * r + 0.4 * g + 0.1 * b, 1.15)
    y = np.stack((lum * 1.02, 0.25 * lum + 0.62 * g, 0.35 * lum + 0.6 * b), -1)
    warm = ramp(r - b, 0.05, 0.4)
    y = mix(y, np.stack((0.35 + 0.75 * lum, 0.18 + 0.42 * lum, 0.3 + 0.48 * lum), -1), 0.55 * warm)
    return mix(y, np.stack((0.3 + 0.8 * lum, 0.05 + 0.35 * lum, 0.22 + 0.45 * lum), -1), leaf) + 0.4 * glow(y, 0.6, 5)


def thermal(f: Frame, w: Wish) -> Paint:
    g = blur(contrast(f.local, 1.15), 1.6)
    stops = (4, 4, 30), (52, 8, 120), (168, 24, 130), (236, 78, 40), (252, 178, 30), (255, 252, 216)
    return gradient(g, *stops)


def night_vision(f: Frame, w: Wish) -> Paint:
    g = f.local**0.85
    g = g * (1 - 0.16 * (f.y % 4 < 2)) + 0.5 * blur(np.clip(g - 0.6, 0, 1), 5) + 0.03 * f.grain(0.7)
    return g[..., None] * rgb(60, 255, 84) + rgb(0, 14, 4)


def vhs(f: Frame, w: Wish) -> Paint:
    """Video tape: smeared, shifted colour, soft luma, faint scan lines and tape grain."""
    g = cv2.blur(f.grey, (3, 1))
    chroma = cv2.blur(f.colour - f.grey[..., None], (13, 3))
    shift = lambda c, dx: cv2.warpAffine(
        c, np.array([[1, 0, dx], [0, 1, 0]], np.float32), c.shape[1::-1], borderMode=cv2.BORDER_REFLECT
    )
    colour = np.stack((shift(chroma[..., 0], 4), chroma[..., 1], shift(chroma[..., 2], -3)), -1)
    g = g + 0.5 * (g - shift(g, 4)) + 0.03 * cv2.blur(f.grain(0.8), (9, 1))
    y = contrast(g, 0.92)[..., None] + 1.45 * colour + np.array([0.035, 0.0, 0.045], np.float32)
    return y * (1 - 0.10 * (f.y % 4 < 2))[..., None]


def super8(f: Frame, w: Wish) -> Paint:
    """Faded reversal film of the seventies: warm, soft, coarse grain."""
    y = contrast(blur(f.colour, 0.7), 1.12) ** np.array([0.9, 1.0, 1.12], np.float32)
    y = saturate(y, 0.85) * np.array([0.98, 0.86, 0.66], np.float32) + np.array([0.09, 0.065, 0.04], np.float32)
    y = y + 0.6 * glow(y, 0.55, 7) * np.array([1.0, 0.6, 0.3], np.float32)
    return y + 0.028 * f.grain(1.0)[..., None]


def bleach_bypass(f: Frame, w: Wish) -> Paint:
    g = f.grey[..., None]
    hard = np.where(g < 0.5, 2 * f.colour * g, 1 - 2 * (1 - f.colour) * (1 - g)).astype(np.float32)
    y = contrast(saturate(0.25 * f.colour + 0.75 * hard, 0.42), 1.18)
    return y * np.array([0.96, 1.0, 1.01], np.float32) + 0.02 * f.grain(0.8)[..., None]


def sepia(f: Frame, w: Wish) -> Paint:
    """A photograph of 1900: brown, soft, faded blacks."""
    g = contrast(blur(0.5 * f.local + 0.5 * f.grey, 0.6), 1.1) + 0.02 * f.grain(0.9) + 0.02 * f.grain(10, 1)
    return gradient(g, (48, 30, 20), (118, 82, 54), (196, 160, 118), (246, 230, 200)) + 0.2 * glow(
        g[..., None].repeat(3, 2), 0.7, 6
    )


def moonlight(f: Frame, w: Wish) -> Paint:
    """Day for night: blue, dark, only highlights shine."""
    y = gradient(contrast(f.local, 1.2) ** 1.15, (4, 8, 24), (20, 42, 84), (70, 108, 158), (206, 226, 248))
    return 0.88 * y + 0.10 * f.colour + 0.5 * glow(y, 0.5, 8)


def blockbuster(f: Frame, w: Wish) -> Paint:
    """Teal shadows, orange skin."""
    g = f.grey[..., None]
    warm = ramp(blur(f.smooth[..., 0] - f.smooth[..., 2], 2), 0.0, 0.25)
    y = contrast(f.colour, 1.2)
    cold = 0.45 * y + 0.55 * (g * rgb(120, 220, 236) * 1.02)
    return mix(cold, saturate(y, 1.2) * np.array([1.14, 0.96, 0.78], np.float32), warm) - np.array(
        [0.03, 0, -0.015], np.float32
    ) * (1 - g)

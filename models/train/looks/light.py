"""Light and film: grades, glows, lenses."""

from __future__ import annotations

import cv2
import numpy as np

from reverie.models.train.looks.marks import (
    LINE,
    cells,
    contours,
    contrast,
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
    at = np.linspace(0, len(stops) - 1, 1025)
    table = np.stack([np.interp(at, range(len(stops)), [stop[c] / 255 for stop in stops]) for c in range(3)], -1)
    return np.take(table.astype(np.float32), (np.clip(g, 0, 1) * 1024 + 0.5).astype(np.int32), 0)


def noir(f: Frame, w: Wish) -> Paint:
    g = np.clip(contrast(0.6 * f.local + 0.4 * f.grey, 1.9), 0, 1) ** 1.2
    g = g + 0.025 * f.grain(0.8) * (1 - abs(2 * g - 1))
    return g[..., None] * np.array([0.97, 0.98, 1.0], np.float32) + 0.25 * glow(g[..., None].repeat(3, 2), 0.7, 6)


def golden_hour(f: Frame, w: Wish) -> Paint:
    """A low sun: amber light that rolls off softly, warm shade, a glow around what is bright."""
    y = contrast(f.colour, 1.08) ** np.array([0.82, 1.0, 1.28], np.float32)
    y = y * np.array([1.0, 0.84, 0.6], np.float32) + np.array([0.06, 0.03, 0.03], np.float32)
    y = y + 0.4 * glow(y, 0.45, 9) * np.array([1, 0.7, 0.35], np.float32)
    return np.where(y < 0.75, y, 0.75 + 0.25 * np.tanh((y - 0.75) * 3)).astype(np.float32)


def cyberpunk(f: Frame, w: Wish) -> Paint:
    """Night lit by signs: magenta from the left, cyan from the right, deep shade between."""
    g = 0.85 * contrast(f.tone, 1.15)
    magenta = gradient(g, (8, 6, 30), (70, 12, 110), (206, 34, 160), (255, 120, 200), (255, 214, 236))
    cyan = gradient(g, (5, 8, 30), (10, 34, 92), (14, 110, 178), (70, 210, 240), (220, 250, 255))
    form = blur(f.tone, 5)
    right = 0.5 + 14 * cv2.Sobel(form, cv2.CV_32F, 1, 0, scale=1 / 8)
    right = right + 0.6 * blur(f.smooth[..., 2] - f.smooth[..., 0], 3)
    y = 0.86 * mix(magenta, cyan, ramp(right, 0.0, 1.0)) + 0.14 * f.colour
    return y + 0.7 * glow(y, 0.6, 7)


def neon(f: Frame, w: Wish) -> Paint:
    """Glowing tubes along the edges, the scene dim behind them."""
    e = contours(f, 1.2 * LINE[w.line])
    base, light = blur(f.colour, 2), blur(f.grey, 8)
    warm = ramp(base[..., 0] - base[..., 2], -0.1, 0.22)
    hue = mix(rgb(24, 216, 255), rgb(255, 40, 190), np.clip(warm * 0.7 + light * 0.3, 0, 1))
    hue = hue if not w.colour else np.clip(ink(w) * 1.25 + 0.06, 0, 1) + 0 * hue
    tube = hue * e[..., None]
    return rgb(6, 5, 16) + 0.2 * base * hue + tube + 1.3 * blur(tube, 4) + 0.45 * ramp(e, 0.7, 1)[..., None]


def night_rain(f: Frame, w: Wish) -> Paint:
    """A wet street at night, seen through drops of all sizes on a window."""
    at = cells(f, pitch(w, 16), 0.42)
    size = 0.08 + 0.2 * ramp(at.number, 0.1, 1.6)  # half of the cells have a speck at most
    inside = ramp(size - at.near, 0, 0.05)
    bend = 1 - 2.0 * inside
    seen = cv2.remap(blur(f.colour, 0.9), at.x + (f.x - at.x) * bend, at.y + (f.y - at.y) * bend, cv2.INTER_LINEAR,
                     borderMode=cv2.BORDER_REFLECT)  # fmt: skip
    g = contrast(0.85 * (seen @ rgb(77, 150, 28)), 1.2)
    night = 0.6 * gradient(g, (3, 6, 18), (12, 32, 60), (54, 92, 124), (244, 196, 130)) + 0.26 * seen
    shine = inside * ramp((at.y - f.y) / 16 - 0.02, 0, 0.14) * 0.22 - 0.1 * inside * ramp((f.y - at.y) / 16, 0, 0.2)
    return night + 0.8 * glow(night, 0.5, 8) * rgb(255, 180, 100) + shine[..., None]


def infrared(f: Frame, w: Wish) -> Paint:
    """Colour infrared film: foliage crimson, skies and water teal, skin pale."""
    r, g, b = (f.colour[..., i] for i in range(3))
    leaf = ramp(blur((2 * g - r - b) / (r + g + b + 0.1), 2), 0.06, 0.18)
    lum = contrast(0.5 * r + 0.4 * g + 0.1 * b, 1.15)
    cold = ramp(blur(b - r, 2), -0.02, 0.18)
    y = np.stack((0.08 + 0.9 * lum, 0.04 + 0.86 * lum, 0.1 + 0.86 * lum), -1)
    y = mix(y, np.stack((0.5 * lum, 0.1 + 0.8 * lum, 0.14 + 0.86 * lum), -1), 0.8 * cold)
    crimson = np.stack((0.22 + 0.95 * lum, 0.04 + 0.42 * lum, 0.2 + 0.42 * lum), -1)
    return mix(y, crimson, 0.94 * leaf) + 0.4 * glow(y, 0.65, 5)


def thermal(f: Frame, w: Wish) -> Paint:
    g = blur(contrast(f.local, 1.15), 1.6)
    stops = (4, 4, 30), (52, 8, 120), (168, 24, 130), (236, 78, 40), (252, 178, 30), (255, 252, 216)
    return gradient(g, *stops)


def night_vision(f: Frame, w: Wish) -> Paint:
    """A green intensifier tube: lights bloom, the rim falls off, faint scan lines."""
    h, width = f.grey.shape
    rim = 1 - 0.55 * ramp(np.hypot((f.x - width / 2) / width, (f.y - h / 2) / h), 0.3, 0.75)
    g = 0.92 * f.local**1.15 * (1 - 0.12 * (f.y % 4 < 2)) + 0.5 * blur(np.clip(f.local - 0.6, 0, 1), 5)
    g = (g + 0.025 * f.grain(0.7)) * rim
    return g[..., None] * rgb(70, 250, 96) + rgb(0, 16, 6) + 0.35 * (ramp(g, 0.7, 1.1))[..., None]


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
    """Teal shadows, warm skin."""
    g = f.grey[..., None]
    warm = ramp(blur(f.smooth[..., 0] - f.smooth[..., 2], 4), 0.06, 0.34) * (0.35 + 0.65 * ramp(1.05 - f.grey, 0, 0.5))
    y = contrast(f.colour, 1.15)
    cold = 0.5 * y + 0.5 * (g * rgb(128, 220, 236) * 1.02)
    skin = saturate(y, 1.02) * np.array([1.08, 0.97, 0.84], np.float32)
    return mix(cold, skin, warm) - np.array([0.03, 0, -0.02], np.float32) * (1 - g)

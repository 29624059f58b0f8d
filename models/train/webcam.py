"""What a cheap camera does to a picture: too little light, a veil against the window, compression."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

SHARE = 0.45  # of clips that are made worse


def worse(clip: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """The same clip (T, H, W, 3) RGB, sometimes dim, backlit or compressed, alike in all frames.

    Sensor noise is added in training, where it is fresh at every step.
    """
    if rng.random() > SHARE:
        return clip
    level = np.arange(256) / 255
    kind = rng.integers(3)
    if kind == 0:  # dim
        level = rng.uniform(0.5, 0.95) * level ** rng.uniform(1.0, 1.3)
    elif kind == 1:  # backlit: a veil and dark middle tones
        level = rng.uniform(0.03, 0.12) + 0.86 * level ** rng.uniform(1.1, 1.5)
    table = np.clip(level * 255 + 0.5, 0, 255).astype(np.uint8)
    clip = np.ascontiguousarray(table[clip])
    if kind == 2 or rng.random() < 0.3:
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(25, 70))]
        clip = np.stack([np.asarray(cv2.imdecode(cv2.imencode(".jpg", f, quality)[1], cv2.IMREAD_COLOR)) for f in clip])
    return clip

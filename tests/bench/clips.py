"""Test clips made of one public-domain portrait (scikit-image's astronaut, NASA), (T, 288, 512, 3) uint8."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage import data

Clip = NDArray[np.uint8]
NOISE = 1.5  # levels, of a webcam in daylight


def _noisy(frames: list[Clip]) -> Clip:
    rng = np.random.default_rng(0)
    clip = np.stack(frames).astype(np.float32)
    return np.clip(clip + rng.normal(0, NOISE, clip.shape), 0, 255).astype(np.uint8)


def moving_camera(count: int) -> Clip:
    """The camera pans: every pixel changes with every frame."""
    picture = cv2.resize(data.astronaut(), (768, 768), interpolation=cv2.INTER_CUBIC)
    places = [(int(80 + 60 * np.sin(n / 20)), int(128 + 100 * np.sin(n / 13))) for n in range(count)]
    return _noisy([picture[y : y + 288, x : x + 512] for y, x in places])


def talking_head(count: int) -> Clip:
    """A still room; the head nods and the mouth moves, by a smooth warp."""
    picture = cv2.resize(data.astronaut(), (512, 512), interpolation=cv2.INTER_AREA)[:288]
    y, x = np.mgrid[:288, :512].astype(np.float32)
    head = np.clip(1.6 - np.hypot((x - 225) / 75, (y - 95) / 95), 0, 1)
    mouth = np.clip(1.5 - np.hypot((x - 228) / 18, (y - 140) / 10), 0, 1)
    frames = []
    for n in range(count):
        shift = 5 * np.sin(n / 9) * head, 3 * np.sin(n / 6) * head + 3 * np.sin(n / 1.7) * mouth
        frames.append(
            cv2.remap(picture, (x + shift[0]).astype(np.float32), (y + shift[1]).astype(np.float32), cv2.INTER_LINEAR)
        )
    return _noisy(frames)

"""How steady a video is: along the motion of its source, where nothing moves, and over time."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

Clip = NDArray[np.uint8]  # (T, H, W, 3) RGB
SAME_DB = 30.0  # from which two pictures are the same to the eye


def flows(source: Clip) -> list[NDArray[np.float32]]:
    """Where each pixel of frames 1 and on was in the frame before: (H, W, 2) across and down."""
    find = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    grey = [cv2.cvtColor(np.ascontiguousarray(frame), cv2.COLOR_RGB2GRAY) for frame in source]
    return [find.calc(now, before, None) for before, now in pairwise(grey)]  # type: ignore[call-overload]


def warp_error(shown: Clip, flow: Sequence[NDArray[np.float32]]) -> float:
    """Mean |frame less the one before, moved along the source's flow|, in levels of 255."""
    rows, columns = np.mgrid[: shown.shape[1], : shown.shape[2]].astype(np.float32)
    errors = []
    for before, now, back in zip(shown, shown[1:], flow, strict=False):
        x, y = columns + back[..., 0], rows + back[..., 1]
        moved = cv2.remap(before, x, y, cv2.INTER_LINEAR)
        inside = (x >= 0) & (y >= 0) & (x <= shown.shape[2] - 1) & (y <= shown.shape[1] - 1)
        errors.append(float(np.abs(now.astype(np.float32) - moved)[inside].mean()))
    return float(np.mean(errors))


def gradient(clip: Clip) -> float:
    """Mean difference of neighbouring pixels, in levels of 255."""
    x = clip.astype(np.float32)
    return float(np.abs(np.diff(x, axis=1)).mean() + np.abs(np.diff(x, axis=2)).mean()) / 2 + 1e-6


def flicker(clip: Clip) -> float:
    """Mean |difference| of neighbouring frames, in levels of 255."""
    return float(np.abs(np.diff(clip.astype(np.float32), axis=0)).mean())


def noisy(picture: NDArray[np.uint8], count: int, sigma: float, seed: int = 0) -> Clip:
    """A still scene through a sensor with noise: (count, H, W, 3)."""
    rng = np.random.default_rng(seed)
    grains = rng.normal(0, sigma, (count, *picture.shape))
    return np.clip(picture + grains + 0.5, 0, 255).astype(np.uint8)


def colours(clip: Clip) -> NDArray[np.float64]:
    """Means and standard deviations of the channels as shares of 255, (6,)."""
    return np.concatenate((clip.mean((0, 1, 2)), clip.std((0, 1, 2)))) / 255


def recovered(after: Clip, fresh: Clip) -> int:
    """Frames after a cut until they look like those of a stream that began there; their count if they never do."""
    for t, (a, b) in enumerate(zip(after, fresh, strict=True)):
        if decibels(a, b) >= SAME_DB:
            return t
    return len(after)


def decibels(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> float:
    """PSNR on 0..255; equal pictures give 99."""
    error = float(np.square(a.astype(np.float64) - b).mean())
    return 99.0 if error == 0 else min(99.0, 10 * float(np.log10(255**2 / error)))

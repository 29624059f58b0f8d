"""One vector of a second or two: what is seen in the pictures, and how much of it moves."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from reverie.models.search.space import F32, Picture, Space, unit

SAMPLE = 64, 36  # width and height at which motion is measured
STILL, LIVELY = 0.8, 4.0  # levels of 255 that a pixel changes by between samples: sensor noise; a waving person
CUT = 0.35  # distance of two pictures' histograms (0..1) from which they are two scenes
MOTION = 0.35  # share of motion in a vector, beside what is seen
MOVING = ("waving, moving quickly, in motion", "someone waves and moves", "movement, action, dancing")
RESTING = ("motionless, standing still", "a frozen picture in which nothing moves", "calm, resting, unmoving")


def sample(picture: Picture) -> NDArray[np.uint8]:
    """(36, 64) grey, smooth enough that noise does not count as motion."""
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    return np.asarray(cv2.resize(grey, SAMPLE, interpolation=cv2.INTER_AREA))


def motion(samples: Sequence[NDArray[np.uint8]]) -> float:
    """0 is still, 1 is lively; brightness that changes everywhere alike does not count.

    Args: samples: of `sample`, about a quarter of a second apart.
    """
    if len(samples) < 2:
        return 0.0
    x = np.stack(samples).astype(np.float32)
    change = np.diff(x - np.median(x, (1, 2), keepdims=True), axis=0)
    strength = float(np.sqrt(np.square(change).mean()))
    return float(np.clip((strength - STILL) / (LIVELY - STILL), 0, 1))


def is_cut(before: NDArray[np.uint8], after: NDArray[np.uint8]) -> bool:
    """Whether two samples belong to different scenes: what moves keeps its greys, another scene has others."""
    shares = [np.histogram(each, 16, (0, 256))[0] / each.size for each in (before, after)]
    return bool(np.abs(shares[0] - shares[1]).sum() / 2 > CUT)


def motion_axis(space: Space) -> F32:
    """The direction (D,) from words for rest to words for motion."""
    moving, resting = space.words(MOVING), space.words(RESTING)
    return unit(moving.mean(0) - resting.mean(0))


def pooled(seen: F32, moves: float, axis: F32) -> F32:
    """Args: seen: (N, D) of the window's pictures.  moves: of `motion`.  axis: of `motion_axis`.  Returns: (D,)."""
    return unit(unit(seen.mean(0)) + np.float32(MOTION * (2 * moves - 1)) * axis)

"""A styled picture at render size, brought to the source's size with the source as guide."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
Plane = NDArray[np.uint8]  # (H, W), one of a picture's
DETAIL = 0.6  # share of the source's fine luma that is put back, where the look kept the coarse one
STEEPEST = 1.5  # slope
ONE = 256  # of a slope in whole numbers


def upscale(styled: Picture, source: Picture) -> Picture:
    """(h, w, 3) styled to the (H, W, 3) of the source; the identity when the sizes are equal."""
    height, width = source.shape[:2]
    if styled.shape[:2] == (height, width):
        return styled
    large = cv2.resize(styled, (width, height), interpolation=cv2.INTER_CUBIC)
    if height * width <= styled.shape[0] * styled.shape[1]:
        return large  # type: ignore[return-value]
    guide = cv2.cvtColor(source, cv2.COLOR_RGB2GRAY)
    low = shrink(guide, *styled.shape[1::-1])
    more = detail(cv2.cvtColor(styled, cv2.COLOR_RGB2GRAY), guide, low)
    return cv2.add(large, cv2.merge((more, more, more)), dtype=cv2.CV_8U)  # type: ignore[return-value]


def shrink(plane: Plane, width: int, height: int) -> Plane:
    """A picture or plane made smaller, each pixel the mean of what it stands for: by halves first, the quickest way."""
    while all(old % 2 == 0 and old >= 2 * new for old, new in zip(plane.shape, (height, width), strict=False)):
        plane = cv2.resize(plane, (plane.shape[1] // 2, plane.shape[0] // 2), interpolation=cv2.INTER_AREA)
    if plane.shape[:2] == (height, width):
        return plane
    little = 2 * plane.shape[1] <= 3 * width and 2 * plane.shape[0] <= 3 * height  # neighbours stand for all, then
    how = cv2.INTER_LINEAR if little else cv2.INTER_AREA
    return cv2.resize(plane, (width, height), interpolation=how)  # type: ignore[return-value]


def detail(styled: Plane, guide: Plane, low: Plane) -> NDArray[np.int16]:
    """What the styled luma (h, w) lacks at the guide's size (H, W), -255 to 255.

    Fast guided filter (arXiv 1505.00996): at render size, styled luma is modelled as a * source + b in small windows;
    a then says how much of the source's lost detail belongs in the larger picture, and with which sign.

    Args: low: the guide at render size.
    """
    size = guide.shape[1], guide.shape[0]
    follows = cv2.resize(_slope(low, styled), size)
    lost = cv2.subtract(guide, cv2.resize(low, size, interpolation=cv2.INTER_CUBIC), dtype=cv2.CV_16S)
    return cv2.multiply(lost, follows, scale=DETAIL / ONE)  # type: ignore[return-value]


def _slope(guide: Plane, picture: Plane, radius: int = 4) -> NDArray[np.int16]:
    """Local regression slope of picture on guide in units of 1 / ONE; near 0 where the guide is flat."""
    window = 2 * radius + 1, 2 * radius + 1
    mean = lambda x: cv2.boxFilter(x, cv2.CV_32F, window)
    of_guide, of_picture = mean(guide), mean(picture)
    both = mean(cv2.multiply(guide, picture, dtype=cv2.CV_32F))
    covariance = cv2.subtract(both, cv2.multiply(of_guide, of_picture))
    variance = cv2.subtract(cv2.sqrBoxFilter(guide, cv2.CV_32F, window), cv2.multiply(of_guide, of_guide))
    slope = cv2.divide(covariance, variance + np.float32(1e-3 * 255**2), scale=ONE)
    return np.clip(slope, -STEEPEST * ONE, STEEPEST * ONE).astype(np.int16)

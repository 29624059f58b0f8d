"""A styled picture at render size, brought to the source's size with the source as guide."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
DETAIL = 0.6  # share of the source's fine luma that is put back, where the look kept the coarse one


def upscale(styled: Picture, source: Picture) -> Picture:
    """(h, w, 3) styled to the (H, W, 3) of the source; the identity when the sizes are equal.

    Fast guided filter (arXiv 1505.00996): at render size, styled luma is modelled as a * source + b in small windows;
    a then says how much of the source's lost detail belongs in the larger picture, and with which sign.
    """
    height, width = source.shape[:2]
    if styled.shape[:2] == (height, width):
        return styled
    large = cv2.resize(styled, (width, height), interpolation=cv2.INTER_CUBIC)
    if height * width <= styled.shape[0] * styled.shape[1]:
        return large  # type: ignore[return-value]
    guide = cv2.cvtColor(source, cv2.COLOR_RGB2GRAY)
    low = cv2.resize(guide, styled.shape[1::-1], interpolation=cv2.INTER_AREA)
    follows = cv2.resize(_slope(low, cv2.cvtColor(styled, cv2.COLOR_RGB2GRAY)), (width, height))
    lost = cv2.subtract(guide, cv2.resize(low, (width, height), interpolation=cv2.INTER_CUBIC), dtype=cv2.CV_32F)
    detail = cv2.multiply(lost, follows, scale=DETAIL)
    return cv2.add(large, cv2.merge((detail, detail, detail)), dtype=cv2.CV_8U)  # type: ignore[return-value]


def _slope(guide: NDArray[np.uint8], picture: NDArray[np.uint8], radius: int = 4) -> NDArray[np.float32]:
    """Local regression slope of picture on guide, -1.5 to 1.5; near 0 where the guide is flat."""
    g, p = guide.astype(np.float32) / 255, picture.astype(np.float32) / 255
    mean = lambda x: cv2.blur(x, (2 * radius + 1, 2 * radius + 1))
    covariance = mean(g * p) - mean(g) * mean(p)
    variance = mean(g * g) - mean(g) ** 2
    return np.clip(covariance / (variance + 1e-3), -1.5, 1.5).astype(np.float32)

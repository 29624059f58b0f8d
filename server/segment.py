"""Who is in the picture: MediaPipe's selfie segmentation, run by OpenCV.

The two networks (0.25 MB each, Apache-2.0) come from the npm package @mediapipe/selfie_segmentation at set-up; nothing
of them is committed.  Input is RGB in 0..1, output the probability that a pixel shows a person.
"""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]  # (H, W, 3) RGB
Grey = NDArray[np.uint8]  # (H, W), its luma
Matte = NDArray[np.float32]  # (H, W), 0 is room and 1 is person

WIDE, SQUARE = "selfie_segmentation_landscape.tflite", "selfie_segmentation.tflite"
WIDE_FROM = 1.2  # width / height above which the landscape network is the better one
RADIUS, EPSILON = 2, 1e-4  # of the guided filter: pixels of the halved coarse matte; variance of luma in 0..1
NEAR = np.ones((3, 3), np.uint8)
SOONEST, LATEST = 3, 6  # the network runs on every third frame, on every sixth while nothing moves
STEP, MOVED = 10, 0.002  # levels of luma by which a place has changed, and the share of places that must have


def folder(wished: str = "") -> Path:
    """Where the networks are: the wished one, or where set-up put them."""
    return Path(wished).expanduser() if wished else Path(sys.prefix) / "share" / "reverie"


def is_here(place: Path) -> bool:
    return all((place / name).is_file() for name in (WIDE, SQUARE))


class Segmenter:
    """Both networks; for one thread."""

    def __init__(self, place: Path) -> None:
        """Raises: FileNotFoundError if they are not in that folder."""
        if not is_here(place):
            raise FileNotFoundError(f"{place} has no {WIDE} and {SQUARE}; `make serve` puts them there")
        self._wide, self._square = _Network(place / WIDE, 256, 144), _Network(place / SQUARE, 256, 256)

    def probability(self, picture: Picture) -> Matte:
        """(144, 256) of a wide picture, (256, 256) of any other."""
        height, width = picture.shape[:2]
        return (self._wide if width >= WIDE_FROM * height else self._square).probability(picture)


class Outline:
    """The person in one stream of pictures, found anew on some; in between only the edges move."""

    def __init__(self, segmenter: Segmenter) -> None:
        self._segmenter = segmenter
        self._coarse: Matte | None = None
        self._seen: Grey | None = None  # what the person was found in
        self._age = 0

    def next(self, picture: Picture) -> Matte:
        """(H, W) at the picture's size."""
        luma = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
        if self._coarse is None or self._is_due(luma):
            self._coarse = halved(self._segmenter.probability(picture))
            self._seen, self._age = _small(luma, self._coarse), 0
        self._age += 1
        return refine(self._coarse, luma)

    def _is_due(self, luma: Grey) -> bool:
        if self._age < SOONEST or self._age >= LATEST:
            return self._age >= LATEST
        assert self._coarse is not None
        changed = cv2.absdiff(_small(luma, self._coarse), self._seen) > STEP  # type: ignore[call-overload]
        return bool(np.count_nonzero(changed) > MOVED * changed.size)


def compose(styled: Picture, source: Picture, matte: Matte, mask: str) -> Picture:
    """The look on the `subject` or on the `background` only, the camera elsewhere; all (H, W)."""
    inside, outside = (styled, source) if mask == "subject" else (source, styled)
    return cv2.blendLinear(inside, outside, matte, 1 - matte)  # type: ignore[return-value]


class _Network:
    """One network up to its last layer but one; the last is done here.

    OpenCV takes more than half of the whole time for that one, a transposed convolution (2x2, stride 2, 16 channels to
    one) and a sigmoid.  As its windows do not overlap it is a product of (4, 16) with (16, pixels / 4).
    """

    def __init__(self, path: Path, width: int, height: int) -> None:
        self.size = width, height
        self._net = cv2.dnn.readNetFromTFLite(str(path), cv2.dnn.ENGINE_CLASSIC)
        names = self._net.getLayerNames()
        last = next(n for n, name in enumerate(names) if self._net.getLayer(name).type == "Deconvolution")
        self._before = names[last - 1]
        weight, bias = (np.asarray(blob) for blob in self._net.getLayer(names[last]).blobs)
        self._weight, self._bias = np.ascontiguousarray(weight.reshape(16, 4).T), float(bias.ravel()[0])

    def probability(self, picture: Picture) -> Matte:
        """(height, width) of the network."""
        width, height = self.size
        self._net.setInput(cv2.dnn.blobFromImage(picture, 1 / 255, self.size))
        features = self._net.forward(self._before).reshape(16, -1)
        logits = cv2.gemm(self._weight, features, 1, None, 0)  # (4, pixels / 4)
        whole = logits.reshape(2, 2, height // 2, width // 2).transpose(2, 0, 3, 1).reshape(height, width)
        return 1 / (1 + cv2.exp(np.clip(-whole - self._bias, -30, 30)))  # type: ignore[no-any-return]


def halved(matte: Matte) -> Matte:
    """At half the size: the fast guided filter needs no more of it."""
    return cv2.resize(matte, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)  # type: ignore[return-value]


def _small(luma: Grey, coarse: Matte) -> Grey:
    return cv2.resize(luma, coarse.shape[::-1], interpolation=cv2.INTER_AREA)  # type: ignore[return-value]


def refine(coarse: Matte, luma: Grey) -> Matte:
    """A coarse matte at the size of the picture, following its edges.

    Fast guided filter (arXiv 1505.00996): in small windows the matte is modelled as a * luma + b at the coarse size;
    a and b are smooth and are enlarged, luma is not.  Where skin and wall are alike that would leak, so the fine matte
    stays between the least and the most that the coarse one says nearby.
    """
    height, width = luma.shape
    guide = _small(luma, coarse).astype(np.float32) / 255
    mean = lambda x: cv2.blur(x, (2 * RADIUS + 1, 2 * RADIUS + 1))
    mean_guide, mean_matte = mean(guide), mean(coarse)
    slope = (mean(guide * coarse) - mean_guide * mean_matte) / (mean(guide * guide) - mean_guide**2 + EPSILON)
    offset = mean_matte - slope * mean_guide
    large = lambda x: cv2.resize(x, (width, height), interpolation=cv2.INTER_LINEAR)
    fine = cv2.add(cv2.multiply(luma, large(mean(slope)), scale=1 / 255, dtype=cv2.CV_32F), large(mean(offset)))
    low, high = (large(form(coarse, NEAR)) for form in (cv2.erode, cv2.dilate))
    return cv2.max(cv2.min(fine, high, dst=fine), low, dst=fine)  # type: ignore[return-value]

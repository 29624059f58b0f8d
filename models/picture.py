"""A reference picture to style tokens: what its colours and marks are like, and a small network from there.

NumPy and OpenCV only.  Statistics forget where things lie, so the look is read and not the scene; the network was
fitted on pictures whose tokens are known (models/train/pictures.py).
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file

from reverie.models import weights
from reverie.models.blend import Blend
from reverie.models.quantise import F32

SHIPPED = weights.SHIPPED.with_suffix(".picture.safetensors")
PREFIX = "picture:"
AREA, SHORTEST, LARGEST = 256 * 192, 16, 8192 * 8192
KEPT = 1024  # pictures, the last ones named
LAGS = range(2, 13)  # pixels: screens, blocks and hatching repeat within these
QUANTILES = 0.02, 0.1, 0.25, 0.5, 0.75, 0.9, 0.98
Picture = NDArray[np.uint8]  # (H, W, 3) RGB


def check(image: Picture) -> None:
    """Raises ValueError unless it is a picture (H, W, 3) uint8 of at least 16x16 pixels."""
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise ValueError(f"a picture must be uint8 (H, W, 3), got {image.dtype} {image.shape}")
    height, width = image.shape[:2]
    if min(height, width) < SHORTEST or height * width > LARGEST:
        raise ValueError(f"a picture must be {SHORTEST} pixels wide and high and at most 64 MP, got {width}x{height}")


def name(image: Picture) -> str:
    """The name of a picture in a blend: the same picture has the same name everywhere.  Raises ValueError."""
    check(image)
    content = hashlib.sha256(repr(image.shape).encode() + np.ascontiguousarray(image).tobytes())
    return PREFIX + content.hexdigest()[:24]


def features(image: Picture) -> F32:
    """Statistics (F,) of colours and marks, whatever the picture's size.  Raises ValueError."""
    check(image)
    height, width = image.shape[:2]
    scale = (AREA / (height * width)) ** 0.5
    size = max(SHORTEST, round(width * scale)), max(SHORTEST, round(height * scale))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    x: F32 = np.asarray(cv2.resize(image, size, interpolation=method), np.float32) / np.float32(255)
    parts = [_colours(x)]
    for _ in range(3):
        parts.append(_marks(x))
        half = max(SHORTEST, x.shape[1] // 2), max(SHORTEST, x.shape[0] // 2)
        x = np.asarray(cv2.resize(x, half, interpolation=cv2.INTER_AREA), np.float32)
    return np.concatenate(parts).astype(np.float32)


def _colours(x: F32) -> F32:
    """Palette (4x4x4, square roots of shares), moments, and quantiles of brightness and saturation."""
    flat = cv2.resize(x, (48, 48), interpolation=cv2.INTER_AREA).reshape(-1, 3)
    at, share = np.divmod(np.clip(flat, 0, 1) * np.float32(2.999), 1)
    palette = np.zeros((4, 4, 4), np.float32)
    for corner in np.ndindex(2, 2, 2):
        weight = np.prod(np.where(corner, share, 1 - share), 1)
        np.add.at(palette, tuple((at + corner).astype(int).T), weight / len(flat))
    spread = np.cov(flat.T) + 1e-5 * np.eye(3)
    deviation = np.sqrt(np.diag(spread))
    related = (spread / np.outer(deviation, deviation))[np.triu_indices(3, 1)]
    bright = np.quantile(flat.mean(1), QUANTILES)
    saturated = np.quantile(flat.max(1) - flat.min(1), QUANTILES)
    return np.concatenate((np.sqrt(palette).reshape(-1), flat.mean(0), deviation, related, bright, saturated))


def _marks(x: F32) -> F32:
    """How strong, in which directions, how regular and how sparse edges are; logarithms where a value is a size."""
    grey = x.mean(2)
    right, down = np.diff(grey, axis=1)[:-1], np.diff(grey, axis=0)[:, :-1]
    strength = np.hypot(right, down)
    total = strength.sum() + 1e-6
    angle = np.arctan2(down, right) % np.pi
    directions = np.histogram(angle, 8, (0, np.pi), weights=strength)[0] / total
    sizes = [
        *np.quantile(strength, (0.25, 0.5, 0.75, 0.9, 0.98)),
        *(np.abs(np.diff(grey, 2, axis)).mean() for axis in (0, 1)),
        np.abs(np.diff(x - grey[..., None], axis=1)).mean(),
        np.abs(np.diff(x - grey[..., None], axis=0)).mean(),
    ]
    blocks = grey[: len(grey) // 8 * 8, : grey.shape[1] // 8 * 8].reshape(len(grey) // 8, 8, -1, 8)
    flat = np.quantile(blocks.std((1, 3)), (0.1, 0.25, 0.5, 0.75))
    repeats = [_repeats(right, 1), _repeats(down, 0)]
    signs = [np.mean(right**3) / (np.mean(right**2) ** 1.5 + 1e-6), np.mean(down**3) / (np.mean(down**2) ** 1.5 + 1e-6)]
    return np.concatenate((directions, np.log(np.array([*sizes, *flat]) + 1e-3), *repeats, np.clip(signs, -5, 5)))


def _repeats(slope: F32, axis: int) -> F32:
    """Correlation of a slope with itself some pixels further."""
    lined = np.moveaxis(slope, axis, 0)
    power = float(np.square(lined).mean()) + 1e-6
    return np.array([float((lined[n:] * lined[:-n]).mean()) / power if n < len(lined) else 0.0 for n in LAGS])


class Encoder:
    """Fitted numbers; calls may come from any thread."""

    def __init__(self, fitted: Mapping[str, F32]) -> None:
        self.fitted = {key: value.astype(np.float32) for key, value in fitted.items()}

    def __call__(self, image: Picture) -> F32:
        """Style tokens (S, cond) of a picture.  Raises ValueError if it is none."""
        return self.tokens(features(image))

    def tokens(self, read: F32) -> F32:
        """Style tokens of features (F,)."""
        f = self.fitted
        x = np.clip((read - f["mean"]) / f["deviation"], -4, 4)
        x = f["hidden.weight"] @ x + f["hidden.bias"]
        x = f["out.weight"] @ (x / (1 + np.exp(-x))) + f["out.bias"]
        whole = (f["middle"] + x @ f["basis"]).reshape(f["shape"].astype(int))
        return whole / np.sqrt((whole * whole).mean(-1, keepdims=True) + np.finfo(np.float32).eps)


@cache
def load(path: Path = SHIPPED) -> Encoder:
    """Raises: FileNotFoundError if the encoder is missing."""
    if not path.is_file():
        raise FileNotFoundError(f"the encoder of reference pictures, {path.name}, is missing")
    return Encoder(load_file(path))


class Pictures:
    """What was made of the pictures taken in, by their names.  Calls may come from any thread."""

    def __init__(self, shape: tuple[int, ...], encode: Callable[[Picture], F32] = lambda image: load()(image)) -> None:
        """Args: encode: makes an array of `shape` of a picture; by default style tokens by the shipped encoder."""
        self._shape, self._encode = shape, encode
        self._known: OrderedDict[str, F32] = OrderedDict()
        self._lock = threading.Lock()

    def take(self, image: Picture) -> str:
        """The name of a picture from now on.  Raises ValueError if it is none."""
        key = name(image)
        self.keep({key: self._encode(image)})
        return key

    def keep(self, made: Mapping[str, F32]) -> None:
        """What was made of pictures elsewhere, by their names.  Raises ValueError on another shape."""
        for key, each in made.items():
            if each.dtype != np.float32 or each.shape != self._shape:
                raise ValueError(f"{key} is {each.dtype} {each.shape}, needs float32 {self._shape}")
            with self._lock:
                self._known[key] = each
                self._known.move_to_end(key)
                if len(self._known) > KEPT:
                    self._known.popitem(last=False)

    def __getitem__(self, key: str) -> F32:
        """Raises ValueError if no such picture was taken in, or so many after it that it is forgotten."""
        with self._lock:
            if key not in self._known:
                raise ValueError(f"there is no reference picture {key}; the last {KEPT} are kept")
            self._known.move_to_end(key)
            return self._known[key]


def named(look: Blend) -> list[str]:
    """The pictures in a look."""
    return [prompt for prompt, _ in look if prompt.startswith(PREFIX)]

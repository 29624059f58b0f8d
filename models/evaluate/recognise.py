"""Which look is this?  A classifier of teacher pictures of other photos, in closed form."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from reverie.models.nano import noise
from reverie.models.picture import features
from reverie.models.train.looks import paint
from reverie.models.train.looks.scene import frames

Picture = NDArray[np.uint8]  # (H, W, 3) RGB
SHRINK = 0.1  # of the covariance, towards its diagonal


class Recogniser:
    """Linear discriminants on statistics of colours and marks (models/picture.py), one class per look."""

    def __init__(self, read: NDArray[np.float32], labels: NDArray[np.int64], looks: Sequence[str]) -> None:
        """Args: read: (N, F) features.  labels: (N,) numbers of looks."""
        self.looks = list(looks)
        self._mean, self._deviation = read.mean(0), read.std(0) + 1e-3
        x = self._scaled(read)
        middles = np.stack([x[labels == n].mean(0) for n in range(len(looks))])
        inside = x - middles[labels]
        spread = inside.T @ inside / len(x)
        spread = (1 - SHRINK) * spread + SHRINK * np.diag(np.diag(spread)) + 1e-2 * np.eye(len(spread))
        self._weight = np.linalg.solve(spread, middles.T).T  # (looks, F)
        self._bias = -0.5 * (self._weight * middles).sum(1)

    def _scaled(self, read: NDArray[np.float32]) -> NDArray[np.float64]:
        return np.clip((read - self._mean) / self._deviation, -4, 4).astype(np.float64)

    def __call__(self, picture: Picture) -> str:
        return self.looks[int(np.argmax(self._weight @ self._scaled(features(picture)) + self._bias))]

    def share(self, pictures: Iterable[Picture], look: str) -> float:
        """Of the pictures, how many are recognised as this look."""
        return float(np.mean([self(picture) == look for picture in pictures]))


def learn(photos: Sequence[Picture], looks: Sequence[str]) -> Recogniser:
    """A recogniser of what looks make of these photos, each with a noise of its own."""
    return Recogniser(*taught(photos, looks), looks)


def taught(photos: Sequence[Picture], looks: Sequence[str]) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Features (N, F) of what looks make of photos, and the numbers of the looks (N,)."""
    read, labels = [], []
    for seed, photo in enumerate(photos):
        scene = frames(photo[None], noise(seed, *photo.shape[:2]).numpy()[0])
        for n, look in enumerate(looks):
            read.append(features(paint(look, scene)[0]))
            labels.append(n)
    return np.stack(read), np.array(labels)

"""Random batches of the cache for training."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from reverie.models.nano import noise
from reverie.models.train.clips import FRAMES, HEIGHT, WIDTH, Pictures
from reverie.models.train.looks.scene import ROOM, Wish
from reverie.models.train.webcam import worse

STILL = 0.1  # share of clips that show one frame all the time: sensor noise is the only change


class Batch(NamedTuple):
    """B clips of T frames."""

    source: NDArray[np.uint8]  # (B, T, h, w, 3)
    target: NDArray[np.uint8]
    noise: NDArray[np.float32]  # (B, 3, h, w): the patterns of the target follow it
    variants: NDArray[np.int64]  # (B,)
    looks: NDArray[np.int64]  # (B,)


class Batches:
    """Endless random batches, looks drawn by `weights`."""

    def __init__(self, folder: Path, batch: int, size: tuple[int, int], seed: int, allowed: Collection[str]) -> None:
        """
        Args:
            size: height and width of the crops, at most 224x384.
            allowed: files that may be trained on, "package/file name"; a cache may be older than the manifest.
        Raises: FileNotFoundError without a cache; ValueError if nothing in it is allowed.
        """
        self.bytes = np.memmap(folder / "train.bin", np.uint8, "r")
        rows = np.load(folder / "train.npz")
        self.places, self.asked, self.seeds = rows["places"], rows["asked"], rows["seed"]
        index = json.loads((folder / "index.json").read_text())
        self.looks: list[str] = index["looks"]
        self.wishes = [Wish(**wish) for _, wish in index["variants"]]
        self.look_of = np.array([look for look, _ in index["variants"]])
        free = np.array([name in allowed for name in index["train"]])
        of = self.look_of[self.asked]
        self.targets = [np.argwhere((of == look) & free[:, None]) for look in range(len(self.looks))]
        if not free.any():
            raise ValueError(f"{folder} has no clip that may be trained on")
        self.weights = np.ones(len(self.looks))  # how often each look is drawn
        self.batch, self.size, self.rng = batch, size, np.random.default_rng(seed)

    def __iter__(self) -> Iterator[Batch]:
        there = np.array([len(rows) > 0 for rows in self.targets])
        while True:
            chance = self.weights * there
            looks = self.rng.choice(len(self.looks), self.batch, p=chance / chance.sum())
            rows = [self.targets[look][self.rng.integers(len(self.targets[look]))] for look in looks]
            crops = [self._crop(int(clip), int(k)) for clip, k in rows]
            source, target, grain = (np.stack(part) for part in zip(*crops, strict=True))
            yield Batch(source, target, grain, np.array([self.asked[clip, k] for clip, k in rows]), looks)

    def picture(self, clip: int, part: int) -> Pictures:
        """The middle frame (H, W, 3) of a clip: part 0 is the source, 1 and so on what looks made of it."""
        return self._read(clip, part, [FRAMES // 2])[0]

    def _crop(self, clip: int, k: int) -> tuple[Pictures, Pictures, NDArray[np.float32]]:
        rng = self.rng
        y, x = (ROOM * int(rng.integers((n - m) // ROOM + 1)) for n, m in zip((HEIGHT, WIDTH), self.size, strict=True))
        rows, columns = (slice(at, at + n) for at, n in zip((y, x), self.size, strict=True))
        order = [0] * FRAMES if rng.random() < STILL else list(range(FRAMES))
        source, target = (self._read(clip, part, order)[:, rows, columns] for part in (0, 1 + k))
        grain = noise(int(self.seeds[clip]), HEIGHT, WIDTH).numpy()[0, :, rows, columns]
        if self.looks[self.look_of[self.asked[clip, k]]] != "original":
            source = worse(source, rng)
        return source, target, grain

    def _read(self, clip: int, part: int, order: list[int]) -> Pictures:
        shown: dict[int, Pictures] = {}
        for t in set(order):
            at, length = self.places[clip, part, t]
            shown[t] = np.asarray(cv2.imdecode(self.bytes[at : at + length], cv2.IMREAD_COLOR_RGB))
        return np.stack([shown[t] for t in order])

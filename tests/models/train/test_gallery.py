"""The README's picture."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from reverie.models.train.gallery import COLUMNS, PROMPTS, gallery
from reverie.models.train.sources import Source


def test_the_gallery_shows_the_camera_and_every_prompt(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    cv2.imwrite(str(tmp_path / "astronaut.png"), cv2.resize(rng.integers(0, 256, (16, 16, 3), np.uint8), (512, 512)))
    source = Source(tmp_path / "astronaut.png", "p", "photo", "public-domain", "train", 1)
    gallery([source], tmp_path / "gallery.jpg")
    picture = cv2.imread(str(tmp_path / "gallery.jpg"))
    rows = -(-(1 + len(PROMPTS)) // COLUMNS)
    assert picture.shape[0] % rows == picture.shape[1] % COLUMNS == 0
    tiles = [t for r in np.split(picture, rows) for t in np.split(r, COLUMNS, 1)]
    camera, *looks = (tile[:280].astype(int) for tile in tiles[: 1 + len(PROMPTS)])
    assert min(np.abs(look - camera).mean() for look in looks) > 5


def test_without_the_portrait_there_is_no_gallery(tmp_path: Path) -> None:
    with pytest.raises(ValueError):
        gallery([], tmp_path / "gallery.jpg")

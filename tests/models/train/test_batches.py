"""Random crops of the cache."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from reverie.models.nano import noise
from reverie.models.train.batches import Batches
from reverie.models.train.looks.scene import ROOM

PLAIN = {"line": "", "size": "", "colour": "", "mood": "", "outlines": True, "strength": 1.0}
LOOKS = ["original", "inverted"]


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two files of one clip; frame t is a gradient of places plus 5 t; two looks of each: itself and inverted."""
    folder, at, blob, places = tmp_path_factory.mktemp("cache"), 0, [], np.zeros((2, 3, 6, 2), np.int64)
    y, x = np.mgrid[0:224, 0:384]
    for clip in range(2):
        for part in range(3):
            for t in range(6):
                picture = np.stack((y, x / 2, 0 * x + 100 * clip), -1) + 5 * t
                shown = 255 - picture if part == 2 else picture
                jpeg = cv2.imencode(".png", shown[..., ::-1].clip(0, 255).astype(np.uint8))[1].tobytes()
                places[clip, part, t] = at, len(jpeg)
                at += len(jpeg)
                blob.append(jpeg)
    (folder / "train.bin").write_bytes(b"".join(blob))
    np.savez(folder / "train.npz", places=places, asked=np.array([[0, 1]] * 2), seed=np.array([3, 4]))
    index = {"looks": LOOKS, "variants": [[0, PLAIN], [1, PLAIN]], "train": ["p/a", "p/gone"]}
    (folder / "index.json").write_text(json.dumps(index))
    return folder


def test_a_batch_pairs_a_source_with_its_look(cache: Path) -> None:
    batches = Batches(cache, 4, (64, 96), 1, {"p/a", "p/gone"})
    for _, batch in zip(range(8), batches, strict=False):
        assert batch.source.shape == batch.target.shape == (4, 6, 64, 96, 3)
        assert np.array_equal(batch.variants, batch.looks)
        for n in np.flatnonzero(batch.looks == 0):
            assert np.array_equal(batch.source[n], batch.target[n])
    batches.weights = np.array([0.0, 1.0])
    assert set(next(iter(batches)).looks) == {1}


def test_crops_lie_on_the_grid_and_take_the_noise_under_them(cache: Path) -> None:
    batches, still = Batches(cache, 1, (64, 96), 2, {"p/a"}), 0
    batches.weights = np.array([1.0, 0.0])
    whole = noise(3, 224, 384).numpy()[0]
    for _, batch in zip(range(40), batches, strict=False):
        y, x = int(batch.source[0, 0, 0, 0, 0]), 2 * int(batch.source[0, 0, 0, 0, 1])
        assert y % ROOM == x % ROOM == 0
        assert np.array_equal(batch.noise[0], whole[:, y : y + 64, x : x + 96])
        still += np.array_equal(batch.source[0, 0], batch.source[0, 5])
    assert 0 < still < 15


def test_a_cache_older_than_the_manifest_is_trained_on_in_part(cache: Path) -> None:
    batches = Batches(cache, 8, (64, 96), 0, {"p/a"})
    batches.weights = np.array([1.0, 0.0])
    assert all(batch.source[:, 0, 0, 0, 2].max() < 100 for _, batch in zip(range(4), batches, strict=False))
    with pytest.raises(ValueError, match="no clip that may be trained on"):
        Batches(cache, 1, (64, 96), 0, {"p/ax"})


def test_only_the_source_is_made_worse(cache: Path) -> None:
    batches, worse = Batches(cache, 8, (64, 96), 5, {"p/a"}), 0
    batches.weights = np.array([0.0, 1.0])
    for _, batch in zip(range(4), batches, strict=False):
        for source, target in zip(batch.source.astype(int), batch.target.astype(int), strict=True):
            assert (np.diff(target[0, :, 0, 0]) <= 0).all()
            worse += np.abs(source + target - 255).max() > 2
    assert 5 < worse < 27

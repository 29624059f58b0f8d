"""The perceptual distance, on weights of the right shapes."""

from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from reverie.models.train.perceptual import LAYERS, Perceptual

CHANNELS = {(1, 0): (3, 64), (1, 1): (64, 64), (2, 0): (64, 128), (2, 1): (128, 128), (3, 0): (128, 256)}


@pytest.fixture(scope="module")
def distance(tmp_path_factory: pytest.TempPathFactory) -> Perceptual:
    path, rng = tmp_path_factory.mktemp("vgg") / "vgg.h5", np.random.default_rng(0)
    with h5py.File(path, "w") as file:
        for block, i in LAYERS:
            group = f"block{block}/layers/conv2d" + (f"_{i}" if i else "") + "/vars/"
            narrow, wide = CHANNELS[block, i]
            file[group + "0"] = rng.normal(0, (2 / (9 * narrow)) ** 0.5, (3, 3, narrow, wide)).astype(np.float32)
            file[group + "1"] = np.zeros(wide, np.float32)
    return Perceptual(path)


def test_equal_pictures_have_no_distance_and_worse_ones_more(distance: Perceptual) -> None:
    torch.manual_seed(0)
    picture, noise = torch.rand(2, 3, 32, 32) * 2 - 1, torch.randn(2, 3, 32, 32)
    near, far = (float(distance(picture + s * noise, picture)[0]) for s in (0.1, 0.5))
    assert float(distance(picture, picture)[0]) == 0 < near < far


def test_texture_does_not_care_where_a_stroke_lies_but_minds_blur(distance: Perceptual) -> None:
    torch.manual_seed(0)
    strokes = torch.randn(1, 3, 64, 64)
    moved = strokes.roll((5, 9), (2, 3))
    soft = torch.nn.functional.avg_pool2d(strokes, 3, 1, 1)
    (content_moved, texture_moved), (content_soft, texture_soft) = (distance(x, strokes) for x in (moved, soft))
    assert float(texture_moved) < 0.5 * float(texture_soft)
    assert float(texture_moved / content_moved) < 0.5 * float(texture_soft / content_soft)


def test_gradients_reach_the_picture_only(distance: Perceptual) -> None:
    picture = torch.zeros(1, 3, 16, 16, requires_grad=True)
    distance(picture, torch.ones(1, 3, 16, 16))[0].backward()
    assert picture.grad is not None and picture.grad.abs().sum() > 0
    assert all(p.grad is None for p in distance.parameters())


def test_weights_of_another_layout_are_an_error(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["x"] = np.zeros(3)
    with pytest.raises(KeyError):
        Perceptual(tmp_path / "other.h5")

"""What ControlNets are shown."""

from pathlib import Path

import numpy as np
import pytest
import torch

from reverie.models.diffusion import maps


def test_edges_are_where_levels_change() -> None:
    picture = np.zeros((64, 64, 3), np.uint8)
    picture[:, 32:] = 255
    found = maps.edges(picture)
    assert found.shape == picture.shape and found[:, 30:34].any() and not found[:, :28].any()


def test_a_body_is_drawn_where_its_joints_are_sure() -> None:
    joints = np.array([[10 + 3 * n, 20 + 2 * n, 1.0] for n in range(17)], np.float32)
    whole = maps.skeleton(joints, 64, 80)
    assert whole[20, 10].any() and whole.any(2).sum() > 100  # nose; limbs
    joints[:, 2] = 0.1
    assert not maps.skeleton(joints, 64, 80).any()


def test_depth_and_pose_models_of_a_folder_see_any_size(full: Path) -> None:
    made = maps.makers(full, ["edges", "depth", "pose"], torch.float32, "cpu")
    picture = np.random.default_rng(0).integers(0, 256, (48, 80, 3), np.uint8)
    depth = made["depth"](picture)
    assert depth.shape == picture.shape and depth.any() and np.array_equal(depth[..., 0], depth[..., 2])
    assert made["pose"](picture).shape == picture.shape


def test_a_missing_eye_or_an_unknown_map_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="needs depth_estimator beside it"):
        maps.makers(tmp_path, ["depth"], torch.float32, "cpu")
    with pytest.raises(ValueError, match="controlnet_normal is not known; edges, depth and pose are"):
        maps.makers(tmp_path, ["normal"], torch.float32, "cpu")

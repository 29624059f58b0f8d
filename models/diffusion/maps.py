"""What a ControlNet is shown of the camera's picture: edges, depth, a body's pose.  (H, W, 3) uint8 RGB each."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

Picture = NDArray[np.uint8]  # (H, W, 3)
Maker = Callable[[Picture], Picture]
MEAN, DEVIATION = np.array([0.485, 0.456, 0.406], np.float32), np.array([0.229, 0.224, 0.225], np.float32)
DEPTH_SIDE, PATCH = 252, 14  # pixels of the shorter side that a depth model sees; its patches
SURE = 0.3  # of a joint, from where on it is drawn

# COCO's joints, as ViTPose orders them, to the limbs of OpenPose, as ControlNets were shown them; 17 is the neck
LIMBS = (
    (17, 6), (17, 5), (6, 8), (8, 10), (5, 7), (7, 9), (17, 12), (12, 14), (14, 16), (17, 11), (11, 13), (13, 15),
    (17, 0), (0, 2), (2, 4), (0, 1), (1, 3),
)  # fmt: skip


def colour(at: int) -> tuple[int, int, int]:
    """Of a limb or joint: once around the circle of hues, as OpenPose paints them."""
    hue = np.array([[[at * 10, 255, 255]]], np.uint8)
    red, green, blue = cv2.cvtColor(hue, cv2.COLOR_HSV2RGB)[0, 0]
    return int(red), int(green), int(blue)


def edges(picture: Picture) -> Picture:
    """By Canny, with the thresholds that the edge ControlNets were trained with."""
    return np.repeat(cv2.Canny(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), 100, 200)[..., None], 3, axis=2)


def skeleton(joints: NDArray[np.float32], height: int, width: int) -> Picture:
    """Args: joints: (17, 3) of COCO: x and y in pixels, and how sure."""
    neck = (joints[5] + joints[6]) / 2
    neck[2] = min(joints[5, 2], joints[6, 2])
    points = np.vstack((joints, neck))
    shown = np.zeros((height, width, 3), np.uint8)
    thick = max(2, min(height, width) // 100)
    for n, (a, b) in enumerate(LIMBS):
        if min(points[a, 2], points[b, 2]) >= SURE:
            start, end = ((round(float(x)), round(float(y))) for x, y in points[[a, b], :2])
            cv2.line(shown, start, end, tuple(0.6 * level for level in colour(n)), thick)
    for n, (x, y, sure) in enumerate(points):
        if sure >= SURE:
            cv2.circle(shown, (round(float(x)), round(float(y))), thick, colour(n), -1)
    return shown


def _seen(picture: Picture, width: int, height: int, like: Any) -> torch.Tensor:
    small = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    return torch.from_numpy((small - MEAN) / DEVIATION).permute(2, 0, 1)[None].to(like.device, like.dtype)


def depth_maker(model: Any) -> Maker:
    """Args: model: of transformers' AutoModelForDepthEstimation; near is bright."""

    def depth(picture: Picture) -> Picture:
        height, width = picture.shape[:2]
        scale = DEPTH_SIDE / min(height, width)
        wide, high = (max(PATCH, round(side * scale / PATCH) * PATCH) for side in (width, height))
        with torch.inference_mode():
            found = model(_seen(picture, wide, high, model)).predicted_depth[0].float().cpu().numpy()
        low, high = float(found.min()), float(found.max())
        levels = ((found - low) / max(high - low, 1e-6) * 255).astype(np.uint8)
        return np.repeat(cv2.resize(levels, (width, height), interpolation=cv2.INTER_AREA)[..., None], 3, axis=2)

    return depth


def pose_maker(model: Any) -> Maker:
    """Args: model: transformers' VitPoseForPoseEstimation; the picture is taken to show one body."""
    height_in, width_in = model.config.backbone_config.image_size

    def pose(picture: Picture) -> Picture:
        height, width = picture.shape[:2]
        with torch.inference_mode():
            heat = model(_seen(picture, width_in, height_in, model)).heatmaps[0].float().cpu().numpy()
        rows, columns = heat.shape[1:]
        at = heat.reshape(len(heat), -1).argmax(1)
        x, y = (at % columns + 0.5) * width / columns, (at // columns + 0.5) * height / rows
        sure = heat.reshape(len(heat), -1).max(1)
        return skeleton(np.stack((x, y, sure), 1).astype(np.float32), height, width)

    return pose


def makers(folder: Path, names: list[str], dtype: torch.dtype, device: str) -> dict[str, Maker]:
    """Of the maps that are named, by what lies in a model's folder.

    Raises: ValueError if a map is not known, or the model that sees it is missing.
    """
    found: dict[str, Maker] = {}
    for name in names:
        if name not in ("edges", "depth", "pose"):
            raise ValueError(f"{folder.name}/controlnet_{name} is not known; edges, depth and pose are")
        if name == "edges":
            found[name] = edges
            continue
        part = folder / f"{name}_estimator"
        if not any(part.glob("*.safetensors")):
            raise ValueError(f"{folder.name}/controlnet_{name} needs {part.name} beside it, with safetensors")
        found[name] = _depth(part, dtype, device) if name == "depth" else _pose(part, dtype, device)
    return found


def _depth(part: Path, dtype: torch.dtype, device: str) -> Maker:
    from transformers import AutoModelForDepthEstimation

    return depth_maker(
        AutoModelForDepthEstimation.from_pretrained(part, local_files_only=True, use_safetensors=True, dtype=dtype)
        .to(device)
        .eval()
    )


def _pose(part: Path, dtype: torch.dtype, device: str) -> Maker:
    from transformers import VitPoseForPoseEstimation

    return pose_maker(
        VitPoseForPoseEstimation.from_pretrained(part, local_files_only=True, use_safetensors=True, dtype=dtype)
        .to(device)
        .eval()
    )

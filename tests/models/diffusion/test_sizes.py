"""What is planned for against what is there."""

from pathlib import Path

import numpy as np
import pytest
import torch

from reverie.models.diffusion import sizes
from reverie.models.diffusion.network import load


def clip(count: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, 64, 96, 3), np.uint8)


def test_a_video_stream_keeps_what_was_planned(wan: Path) -> None:
    model = load(wan, "cpu")
    stream = model.stream()
    stream.start("fox")
    stream.step(clip(2))
    ring = sum(x.numel() for layer in stream._ring.layers for x in layer)
    past = sum(x.numel() for x in (*stream._past, *stream._future) if isinstance(x, torch.Tensor))
    planned = sizes.held(wan, 64 * 96, 1).stream
    assert planned == 2 * ring + 64 * 96 * 4 * sizes.WAN_VAE_KEPT
    assert past < 64 * 96 * 4 * sizes.WAN_VAE_KEPT


def test_an_edit_stream_keeps_what_was_planned(klein: Path) -> None:
    model = load(klein, "cpu")
    stream = model.stream()
    stream.start(model.picture(clip(1)[0]))
    stream.step(clip(1))
    kept = sum(x.numel() for layers in stream._steps for layer in layers for x in layer)
    assert sizes.held(klein, 64 * 96, 1).stream == kept


def test_an_image_model_works_for_all_sessions_at_once(lcm: Path, full: Path, turbo: Path) -> None:
    assert sizes.steps(lcm) == 4 and sizes.steps(turbo) == 1
    assert sizes.held(lcm, 64 * 96, 3).work == pytest.approx(3 * sizes.held(lcm, 64 * 96, 1).work)
    assert sizes.held(full, 64 * 96, 1).work > sizes.held(lcm, 64 * 96, 1).work  # ControlNets
    stream = load(lcm, "cpu").stream()
    stream.start("fox")
    stream.step(clip(1))
    kept = sum(x.numel() for x in (stream._waiting, stream._anchors, stream._noise) if x is not None)
    assert kept <= sizes.held(lcm, 64 * 96, 1).stream

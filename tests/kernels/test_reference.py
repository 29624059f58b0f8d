"""The oracle against torch, in floating point."""

import numpy as np
import torch
import torch.nn.functional as F

from reverie.kernels import reference
from reverie.kernels.conv import Activation, Conv


def made(kernel: int, activation: Activation, shuffle: bool = False) -> tuple[Conv, np.ndarray]:
    rng = np.random.default_rng(kernel)
    weight = rng.integers(-128, 128, (64, kernel, kernel, 16)).astype(np.int8)
    conv = Conv(weight, np.full(64, 1e-3, np.float32), np.full(64, 128, np.float32), activation, 0.02, shuffle=shuffle)
    return conv, rng.integers(0, 256, (6, 8, 16), np.uint8)


def torch_sums(conv: Conv, x: np.ndarray, **options: int) -> torch.Tensor:
    picture = torch.from_numpy(x.astype(np.float64) - 128).permute(2, 0, 1)[None]
    return F.conv2d(picture, torch.from_numpy(conv.weight.astype(np.float64)).permute(0, 3, 1, 2), **options)[0] * 1e-3


def test_convolutions_equal_torch() -> None:
    for kernel, options in ((1, {}), (2, {"stride": 2}), (3, {"padding": 1})):
        conv, x = made(kernel, Activation.NONE)
        expected = (torch_sums(conv, x, **options) + 128).clamp(0, 255).permute(1, 2, 0).numpy()
        assert np.abs(reference.run(conv, x) - expected).max() <= 0.51


def test_hard_swish_equals_torch() -> None:
    conv, x = made(3, Activation.HARD_SWISH)
    step = 0.02 * 6  # what one count of the output means
    expected = F.hardswish(torch_sums(conv, x, padding=1) * step) / step + 128
    assert np.abs(reference.run(conv, x) - expected.clamp(0, 255).permute(1, 2, 0).numpy()).max() <= 0.51


def test_shuffle_equals_torch() -> None:
    conv, x = made(1, Activation.NONE, shuffle=True)
    sums = torch_sums(conv, x)
    ordered = sums.unflatten(0, (2, 2, 16)).permute(2, 0, 1, 3, 4).flatten(0, 2)  # torch orders (channel, dy, dx)
    expected = (F.pixel_shuffle(ordered[None], 2)[0] + 128).clamp(0, 255).permute(1, 2, 0).numpy()
    assert np.abs(reference.run(conv, x) - expected).max() <= 0.51

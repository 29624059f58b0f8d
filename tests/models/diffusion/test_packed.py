"""Convolutions whose weights are laid out once: plain ones' answers, also after a weight was written to."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from reverie.models.diffusion import packed
from reverie.models.nano import fast_dtype

pytestmark = pytest.mark.skipif(not torch.backends.mkldnn.is_available(), reason="this torch has no oneDNN")


def plain(layer: nn.Conv2d, x: torch.Tensor) -> torch.Tensor:
    return F.conv2d(x, layer.weight, layer.bias, layer.stride, layer.padding, layer.dilation, layer.groups)


@pytest.mark.parametrize(
    "options",
    [{"padding": 1}, {"padding": 1, "stride": 2}, {"padding": 2, "dilation": 2, "bias": False}, {"groups": 4}],
)
@pytest.mark.parametrize("dtype", [torch.float32, fast_dtype()])
@torch.inference_mode()
def test_answers_are_those_of_plain_ones_at_every_size(options: dict[str, int], dtype: torch.dtype) -> None:
    with torch.inference_mode(False):
        layer = nn.Conv2d(16, 32, 3, dtype=dtype, **options).requires_grad_(False)  # type: ignore[arg-type]
    assert packed.pack(layer, "cpu") == 1
    for rows, height, width in ((1, 8, 8), (3, 9, 16), (2, 4, 5)):
        x = torch.randn(rows, 16, height, width, dtype=dtype)
        near = {"atol": 1e-5, "rtol": 1e-5 if dtype == torch.float32 else 1e-2}
        assert torch.allclose(layer(x), plain(layer, x), **near)
        last = x.contiguous(memory_format=torch.channels_last)
        assert torch.allclose(layer(last), plain(layer, x), **near)


def test_a_weight_that_was_written_to_is_laid_out_again() -> None:
    layer, x = nn.Conv2d(8, 8, 3, padding=1).requires_grad_(False), torch.randn(1, 8, 8, 8)
    packed.pack(layer, "cpu")
    before, kept = layer(x), layer.weight.clone()
    with torch.no_grad():
        layer.weight.copy_(kept * 2)
    assert torch.allclose(layer(x), plain(layer, x), atol=1e-5)
    assert not torch.allclose(layer(x), before, atol=1e-2)
    with torch.no_grad():
        layer.weight.copy_(kept)
    assert torch.equal(layer(x), before)


def test_what_onednn_is_not_asked_stays_as_it_is() -> None:
    layers = [
        nn.Conv2d(4, 4, 3, padding=1, padding_mode="circular"), nn.Conv2d(4, 4, 3, padding="same"),
        nn.Conv2d(4, 4, 3, dtype=torch.float16), nn.Linear(4, 4),
    ]  # fmt: skip
    assert packed.pack(nn.Sequential(*layers), "cpu") == 0
    assert packed.pack(nn.Conv2d(4, 4, 3), "cuda") == 0
    learns, x = nn.Conv2d(4, 4, 3), torch.randn(1, 4, 8, 8)
    packed.pack(learns, "cpu")
    learns(x).sum().backward()
    assert learns.weight.grad is not None
    assert torch.allclose(learns(x[0]), learns(x)[0], atol=1e-5)  # one picture without rows
    learns.to(torch.float64)
    assert learns(x.double()).dtype == torch.float64

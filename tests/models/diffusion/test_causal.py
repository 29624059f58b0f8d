"""The causal transformer against diffusers' own over all latents at once."""

from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import WanTransformer3DModel
from diffusers.models.transformers.transformer_wan import WanAttnProcessor

from reverie.models.diffusion.causal import Causal
from reverie.models.diffusion.ring import Ring

CHUNK, Y, X = 3, 4, 6


class Masked(WanAttnProcessor):
    """Full attention in which no chunk sees a later one."""

    def __init__(self, mask: torch.Tensor) -> None:
        super().__init__()
        self.mask = mask

    def __call__(self, attn: Any, x: torch.Tensor, words: Any = None, mask: Any = None, angles: Any = None) -> Any:
        return super().__call__(attn, x, words, self.mask if words is None else mask, angles)


@pytest.fixture(scope="module")
def ours(wan: Path) -> Causal:
    return Causal(WanTransformer3DModel.from_pretrained(wan / "transformer").eval())


def latents(chunks: int) -> torch.Tensor:
    return torch.randn(1, 16, CHUNK * chunks, Y, X, generator=torch.Generator().manual_seed(2))


@torch.inference_mode()
def test_a_ring_is_full_attention_while_the_window_holds(wan: Path, ours: Causal) -> None:
    whole = WanTransformer3DModel.from_pretrained(wan / "transformer").eval()
    count, words = 4, torch.randn(1, 16, 32, generator=torch.Generator().manual_seed(3))
    tokens = ours.tokens(CHUNK, Y, X)
    at = torch.arange(count * tokens) // tokens
    for block in whole.blocks:
        block.attn1.set_processor(Masked((at[:, None] >= at[None])[None, None]))
    x = latents(count)
    times = torch.cat((torch.zeros((count - 1) * tokens), torch.full((tokens,), 700.0)))[None]
    expected = whole(x, times, words).sample[:, :, -CHUNK:]
    ring = Ring.of(ours.config, 4, tokens, x)
    for chunk in x.split(CHUNK, 2)[:-1]:
        ours(chunk, 0.0, words, ring, keep=True)
    assert torch.allclose(ours(x[:, :, -CHUNK:], 0.7, words, ring), expected, atol=1e-5)
    alone = ours(x[:, :, -CHUNK:], 0.7, words, Ring.of(ours.config, 4, tokens, x))
    assert (alone - expected).norm() > 1e-3 * expected.norm()  # the past matters


@torch.inference_mode()
def test_shapes_never_change_and_the_sink_stays(ours: Causal) -> None:
    words, x = torch.randn(1, 16, 32), latents(7)
    ring = Ring.of(ours.config, 3, ours.tokens(CHUNK, Y, X), x)
    shapes, sinks = set(), []
    for chunk in x.split(CHUNK, 2):
        shapes.add((ring.mask("cpu").shape, *(a.shape for pair in ours.angles(chunk, ring) for a in pair)))
        ours(chunk, 0.0, words, ring, keep=True)
        sinks.append(ring.layers[0].keys[:, : ring.chunk].clone())
    assert len(shapes) == 1 and all(torch.equal(sinks[0], each) for each in sinks)


@torch.inference_mode()
def test_a_noisy_step_leaves_the_past_alone(ours: Causal) -> None:
    words, x = torch.randn(1, 16, 32), latents(2)
    ring = Ring.of(ours.config, 3, ours.tokens(CHUNK, Y, X), x)
    ours(x[:, :, :CHUNK], 0.0, words, ring, keep=True)
    before = [layer.keys.clone() for layer in ring.layers]
    ours(x[:, :, CHUNK:], 0.5, words, ring)
    assert ring.count == 1 and all(torch.equal(a, b.keys) for a, b in zip(before, ring.layers, strict=True))

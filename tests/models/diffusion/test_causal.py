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
        shapes.add((ring.mask("cpu", ring.chunk).shape, *(a.shape for pair in ours.angles(chunk, ring) for a in pair)))
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


@torch.inference_mode()
def test_tokens_that_are_made_alone_are_those_of_all_and_the_others_are_carried(ours: Causal) -> None:
    words, x = torch.randn(1, 16, 32), latents(2)
    tokens = ours.tokens(CHUNK, Y, X)
    rings = [Ring.of(ours.config, 3, tokens, x) for _ in range(3)]
    for ring in rings:
        ours(x[:, :, :CHUNK], 0.0, words, ring, keep=True)
    some = torch.tensor([0, 7, tokens - 1])
    now = x[:, :, CHUNK:]
    whole = ours(now, 0.0, words, rings[0], keep=True)
    assert torch.equal(ours(now, 0.0, words, rings[1], keep=True, active=torch.arange(tokens)), whole)
    part = ours(now, 0.0, words, rings[2], keep=True, active=some)
    there = ours.at(some, now).expand_as(part)
    assert int(there[0, 0].sum()) == 3 * 2 * 2 and not part[~there].any() and part[there].all()
    others = [n for n in range(tokens) if n not in some]
    for layer in rings[2].layers:
        before, new = layer.keys[:, :tokens], layer.keys[:, tokens : 2 * tokens]
        assert torch.equal(new[:, others], before[:, others]) and not torch.equal(new[:, some], before[:, some])
    first = rings[1].layers[0], rings[2].layers[0]  # what a token is before it sees others
    assert torch.allclose(first[0].keys[:, tokens:][:, some], first[1].keys[:, tokens:][:, some], atol=1e-6)

"""The network: its budget, and the agreement of its two traversals."""

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from reverie.models.config import NANO
from reverie.models.memory import Clip, Ring
from reverie.models.network import Network, Style


@pytest.fixture(scope="module")
def network() -> Network:
    torch.manual_seed(0)
    return Network(NANO).eval().requires_grad_(False)


def style(network: Network, streams: int = 1) -> Style:
    width = NANO.llm_width * len(NANO.llm_layers)
    states = torch.randn(streams, 7, width, generator=torch.Generator().manual_seed(1))
    tokens = network.connector(states, torch.ones(streams, 7, dtype=torch.bool))
    return network.style(tokens, torch.ones(streams))


def pictures(count: int, height: int = 48, width: int = 32, seed: int = 2) -> torch.Tensor:
    return torch.rand(count, 3, height, width, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def test_a_frame_costs_at_most_16_gop_and_the_network_has_at_most_10_million_parameters(network: Network) -> None:
    source, rings = pictures(1, 288, 512), [Ring(NANO.recent) for _ in network.blocks]
    prompt = style(network)
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
        network(source, source, prompt, rings)
    assert 8e9 < counter.get_total_flops() <= 16e9
    assert sum(p.numel() for p in network.parameters()) <= 10e6


def test_a_clip_at_once_equals_frame_by_frame(network: Network) -> None:
    clip, noise, prompt = pictures(6), pictures(1, seed=3), style(network)
    at_once = network(clip, noise.repeat(6, 1, 1, 1), prompt.repeat(6), [Clip(6, NANO.recent) for _ in network.blocks])
    rings, shown = [Ring(NANO.recent) for _ in network.blocks], []
    for frame in clip:
        shown.append(network(frame[None], noise, prompt, rings))
        for ring in rings:
            ring.advance()
    torch.testing.assert_close(torch.cat(shown), at_once, atol=2e-5, rtol=0)


def test_earlier_frames_are_seen(network: Network) -> None:
    noise, prompt, recall = (
        pictures(2, seed=3),
        style(network).repeat(2),
        [Clip(2, NANO.recent) for _ in network.blocks],
    )
    one, other = pictures(2), pictures(2)
    other[0] = -other[0]
    assert not torch.equal(network(one, noise, prompt, recall)[1], network(other, noise, prompt, recall)[1])


def test_padding_of_prompts_changes_nothing(network: Network) -> None:
    width = NANO.llm_width * len(NANO.llm_layers)
    states = torch.randn(1, 5, width)
    padded = torch.cat((states, torch.randn(1, 3, width)), 1)
    mask = torch.tensor([[True] * 5 + [False] * 3])
    torch.testing.assert_close(network.connector(padded, mask), network.connector(states, mask[:, :5]))


@pytest.mark.parametrize(("height", "width"), [(16, 16), (16, 640), (288, 160), (720, 48)])
def test_any_multiple_of_16_works(network: Network, height: int, width: int) -> None:
    source = pictures(1, height, width)
    assert network(source, source, style(network), [Ring(NANO.recent) for _ in network.blocks]).shape == source.shape

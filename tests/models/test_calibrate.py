"""Calibration sees every activation that becomes a byte."""

import json

import numpy as np
import pytest
import torch

from reverie.models import weights
from reverie.models.calibrate import RANGES, ranges
from reverie.models.config import NANO
from reverie.models.network import Network


@pytest.fixture(scope="module")
def network() -> Network:
    network = Network(NANO)
    network.load_state_dict(weights.load(weights.SHIPPED))
    return network.eval().requires_grad_(False)


def found(network: Network, light: int) -> dict[str, float]:
    states = torch.randn(1, 7, NANO.llm_width * len(NANO.llm_layers), generator=torch.Generator().manual_seed(1))
    tokens = network.connector(states, torch.ones(1, 7, dtype=torch.bool))
    clip = np.random.default_rng(0).integers(0, light, (2, 48, 64, 3)).astype(np.uint8)
    return ranges(network, [clip], [network.style(tokens, torch.ones(1))])


def test_the_shipped_ranges_are_of_every_activation(network: Network) -> None:
    shipped, mine = json.loads(RANGES.read_text()), found(network, 256)
    assert shipped.keys() == mine.keys()
    assert all(value > 0 for value in shipped.values())


def test_ranges_are_of_what_is_seen(network: Network) -> None:
    """The first layer's largest output, against the encoder itself."""
    mine = found(network, 256)
    clip = np.random.default_rng(0).integers(0, 256, (2, 48, 64, 3)).astype(np.uint8)
    source = torch.from_numpy(clip).permute(0, 3, 1, 2).float() / 127.5 - 1
    assert abs(mine["half"] - float(network.encoder(source).half.abs().max())) < 1e-3
    assert found(network, 16)["half"] != mine["half"]

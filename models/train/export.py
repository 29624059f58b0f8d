"""From a checkpoint to the weights that are shipped, with the header that `reverie models` reads."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from reverie.models import weights
from reverie.models.config import NANO
from reverie.models.memory import Ring
from reverie.models.network import Network

WIDTH, HEIGHT = 512, 288


def averaged(checkpoint: Path) -> tuple[Network, dict[str, Any]]:
    """The averaged network of a checkpoint, and the checkpoint.  Raises FileNotFoundError."""
    state = torch.load(checkpoint, weights_only=True)
    network = Network(NANO)
    network.load_state_dict(state["ema"])
    return network.eval().requires_grad_(False), state


def gop_per_frame(network: Network) -> float:
    """1e9 operations (a multiply-add is two) of encoder, one video step and decoder at 512x288."""
    picture = torch.zeros(1, 3, HEIGHT, WIDTH)
    states = torch.zeros(1, 1, NANO.llm_width * len(NANO.llm_layers))
    tokens = network.connector(states, torch.ones(1, 1, dtype=torch.bool))
    style = network.style(tokens, torch.ones(1))
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
        network(picture, picture, style, [Ring(NANO.recent) for _ in network.blocks])
    return counter.get_total_flops() / 1e9


def export(checkpoint: Path, looks: Sequence[str], path: Path = weights.SHIPPED) -> dict[str, str]:
    """Write the averaged weights as fp16 and return the header that says what they are."""
    network, state = averaged(checkpoint)
    described = {
        "name": "nano",
        "params_millions": f"{sum(p.numel() for p in network.parameters()) / 1e6:.3f}",
        "gop_per_frame": f"{gop_per_frame(network):.2f}",
        "resolution": f"{WIDTH}x{HEIGHT}",
        "licence": "Apache-2.0",
        "looks": ",".join(looks),
        "steps_trained": str(state["step"]),
        "minutes_trained": f"{state['seconds'] / 60:.0f}",
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    weights.save(path, network.state_dict(), described)
    return described

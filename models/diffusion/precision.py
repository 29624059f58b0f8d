"""What weights are made of: bfloat16 or float32, and linear layers in eight bits by torchao.

Eight bits are half the memory, and on GPUs with such units more speed.  Convolutions stay as they are: torchao has none
in eight bits that a UNet gains from.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from reverie.models.nano import fast_dtype

NAMES = ("", "int8", "fp8")  # "" is that of the device
SMALLEST = 512  # sides of a layer from which on eight bits are worth their scales
FP8_FROM = (8, 9)  # compute capability of the first GPUs with such units


def number(device: str) -> torch.dtype:
    """What a device's networks are in: bfloat16, but float32 on a CPU without products of it."""
    return fast_dtype() if device == "cpu" else torch.bfloat16


def check(precision: str, device: str, capability: tuple[int, int] | None) -> None:
    """Args: capability: of the GPU, None without one.  Raises: ValueError if it cannot be had there."""
    if precision not in NAMES:
        raise ValueError(f"precision must be one of {', '.join(NAMES[1:])} or empty, got {precision!r}")
    if precision == "fp8" and (device != "cuda" or capability is None or capability < FP8_FROM):
        have = f"capability {capability[0]}.{capability[1]}" if capability else f"device {device}"
        raise ValueError(f"fp8 needs a GPU of capability 8.9 or more (RTX 40, H100), this is {have}; int8 needs none")
    if precision and device == "neuron":
        raise ValueError("eight bits are not for neuron: its compiler takes the network as it is")


def large(layer: nn.Linear) -> bool:
    return min(layer.in_features, layer.out_features) >= SMALLEST


def apply(network: nn.Module, precision: str, device: str) -> int:
    """Bring large linear layers into eight bits, in place.  Returns: parameters that now take a byte.

    int8 keeps weights alone in eight bits; on a GPU with the units for it what goes in is brought to int8 too.
    Raises: FileNotFoundError if torchao is not installed.
    """
    if not precision:
        return 0
    try:
        from torchao import quantization as ao
    except ImportError:
        raise FileNotFoundError(f"precision {precision} needs reverie[quantise] (torchao)") from None
    if precision == "fp8":
        config: Any = ao.Float8DynamicActivationFloat8WeightConfig(granularity=ao.PerRow())
    elif device == "cuda":
        config = ao.Int8DynamicActivationInt8WeightConfig()
    else:
        config = ao.Int8WeightOnlyConfig()
    count = sum(m.in_features * m.out_features for m in network.modules() if isinstance(m, nn.Linear) and large(m))
    with torch.no_grad():
        ao.quantize_(network, config, filter_fn=lambda module, name: isinstance(module, nn.Linear) and large(module))
    return count

"""A network as its device runs it quickest: compiled for few fixed shapes, which a GPU replays as CUDA graphs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_map_only

SHAPES = 64  # sizes of picture times counts of rows that are kept compiled; torch would give up after 8


def compiled(module: Any, device: str) -> Callable[..., Any]:
    """The module's forward for a device: cpu (as it is: compiling takes minutes there), cuda or neuron.

    Raises: ValueError if the device is not there.
    """
    if device == "cpu":
        forward: Callable[..., Any] = module
        return forward
    return Fixed(module, **(_backend(device) or {"mode": "reduce-overhead"}))


def layout(device: str) -> torch.memory_format:
    """How convolutions' tensors lie: channels last, but on a CPU, where that gains nothing (DESIGN.md)."""
    return torch.contiguous_format if device == "cpu" else torch.channels_last


def in_place(module: Any, device: str) -> None:
    """A network whose rows need not be filled up, as an autoencoder's half.  Raises: as `compiled`."""
    if device != "cpu":
        module.compile(dynamic=False, **(_backend(device) or {"mode": "reduce-overhead"}))


def _backend(device: str) -> dict[str, str]:
    if device == "neuron" and "neuron" not in torch._dynamo.list_backends():
        raise ValueError('there is no torch backend "neuron" here: install the Neuron SDK')
    return {"backend": "neuron"} if device == "neuron" else {}


def _keep_more() -> None:
    torch._dynamo.config.recompile_limit = max(torch._dynamo.config.recompile_limit, SHAPES)


def blocks(network: Any, device: str) -> None:
    """The repeated blocks of a transformer, compiled where they stand: for traversals of our own, which call them.

    Raises: ValueError if the device is not there.
    """
    if device != "cpu":
        _keep_more()
        for name in ("blocks", "transformer_blocks", "single_transformer_blocks"):
            for block in getattr(network, name, ()):
                block.compile(dynamic=False, **_backend(device))


class Fixed:
    """A compiled network that sees counts of rows of 1, 2, 4, 8 and so on only: others are filled up, and cut again.

    Sessions come and go, and each count of rows would be compiled anew.  What fills up is the last row once more.
    """

    def __init__(self, module: Any, **options: Any) -> None:
        _keep_more()
        self._run = torch.compile(module, dynamic=False, **options)

    def __call__(self, x: Tensor, *others: Any, **named: Any) -> Any:
        """Args: x: (N, ...); every other tensor whose first side is N has a row for each of x."""
        rows = len(x)
        wanted = 1 << (rows - 1).bit_length()
        args, named = filled(((x, *others), named), rows, wanted)
        torch.compiler.cudagraph_mark_step_begin()  # what the call before gave is used up
        answer = self._run(*args, **named)
        return tree_map_only(Tensor, lambda t: t[:rows] if t.dim() and len(t) == wanted else t, answer)


def filled(tree: Any, rows: int, wanted: int) -> Any:
    """Tensors of N rows with the last one repeated up to the count that is wanted."""
    if rows == wanted:
        return tree

    def more(tensor: Tensor) -> Tensor:
        if not tensor.dim() or len(tensor) != rows:
            return tensor
        return torch.cat((tensor, tensor[-1:].expand(wanted - rows, *tensor.shape[1:])))

    return tree_map_only(Tensor, more, tree)

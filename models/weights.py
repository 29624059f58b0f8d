"""Weights on disk: fp16 safetensors whose header says what they are, readable without torch."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

SHIPPED = Path(__file__).parent / "shipped" / "nano.safetensors"
MAX_HEADER_BYTES = 10_000_000


def describe(path: Path = SHIPPED) -> dict[str, str]:
    """What the exporter wrote about the weights.  Raises FileNotFoundError; ValueError if the header is damaged."""
    if not path.is_file():
        raise FileNotFoundError(f"weights {path.name} are missing")
    with path.open("rb") as file:
        start = file.read(8)
        size = struct.unpack("<Q", start)[0] if len(start) == 8 else MAX_HEADER_BYTES
        text = file.read(size) if size < MAX_HEADER_BYTES else b""
    try:
        described = json.loads(text)["__metadata__"]
    except (ValueError, KeyError, TypeError):
        raise ValueError(f"weights {path.name} are damaged: their header cannot be read") from None
    return {str(k): str(v) for k, v in described.items()}


def load(path: Path) -> dict[str, Tensor]:
    """State dict in float32.  Raises FileNotFoundError; ValueError if the file is damaged."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    if not path.is_file():
        raise FileNotFoundError(f"weights {path.name} are missing")
    try:
        return {name: tensor.float() for name, tensor in load_file(path).items()}
    except SafetensorError as error:
        raise ValueError(f"weights {path.name} are damaged: {error}") from None


def save(path: Path, state: dict[str, Tensor], described: dict[str, str]) -> None:
    """Write fp16 weights, whole or not at all."""
    from safetensors.torch import save_file

    partial = path.with_suffix(".partial")
    save_file({name: tensor.half().contiguous() for name, tensor in state.items()}, partial, described)
    partial.replace(path)

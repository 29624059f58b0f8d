"""Model names and what is behind them; nothing heavy is imported before it is loaded."""

from __future__ import annotations

import importlib
from typing import Any

from reverie.models import weights
from reverie.models.stream import Model

MODULES = {"nano": "reverie.models.nano", "toy": "reverie.models.toy"}


def load(name: str = "nano", device: str = "cpu", llm: str | None = None) -> Model:
    """Load a model.

    Args: llm: where its LLM comes from (see reverie.models.llm.load); None is the installed package.
    Raises: ValueError on an unknown name or device; FileNotFoundError if its weights or its LLM are missing.
    """
    check(name)
    model: Model = importlib.import_module(MODULES[name]).load(device, llm)
    return model


def check(name: str) -> None:
    """Raises ValueError if there is no model of that name."""
    if name not in MODULES:
        raise ValueError(f"there is no model {name!r}; there is nano")


def describe() -> list[dict[str, Any]]:
    """What `reverie models` lists: sizes, cost and licence of each model whose weights are here."""
    header = weights.describe()
    return [
        {
            "name": header["name"],
            "params_millions": float(header["params_millions"]),
            "gop_per_frame": float(header["gop_per_frame"]),
            "resolution": header["resolution"],
            "licence": header["licence"],
        }
    ]

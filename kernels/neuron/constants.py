"""The numbers of `trainium3.toml`: what the cycle model and the memory rules believe, and how sure that is."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

CONFIDENCE = ("documented", "inherited", "assumed")


@dataclass(frozen=True, slots=True)
class Constant:
    """One number; `name` is its path in the file, e.g. dma.fixed_ns."""

    name: str
    value: float
    source: str
    confidence: str


def load() -> dict[str, Constant]:
    """All constants by name.  Raises: ValueError on one without a source or with an unknown confidence."""
    text = (files("reverie.kernels.neuron") / "trainium3.toml").read_text()
    found: dict[str, Constant] = {}

    def collect(table: dict[str, Any], path: str) -> None:
        if "value" in table:
            if not table["source"] or table["confidence"] not in CONFIDENCE:
                raise ValueError(f"{path} needs a source and a confidence of {', '.join(CONFIDENCE)}")
            found[path] = Constant(path, float(table["value"]), table["source"], table["confidence"])
            return
        for name, inner in table.items():
            collect(inner, f"{path}.{name}" if path else name)

    collect(tomllib.loads(text), "")
    return found


def values(**changed: float) -> dict[str, float]:
    """Values by name.  Args: changed: others than the file's, dots written as two underscores."""
    numbers = {name: constant.value for name, constant in load().items()}
    for key, value in changed.items():
        name = key.replace("__", ".")
        if name not in numbers:
            raise ValueError(f"there is no constant {name}")
        numbers[name] = value
    return numbers

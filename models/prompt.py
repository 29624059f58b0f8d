"""Words to LLM states: the one place that says how a prompt is put to the LLM, for training and for use."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

    from reverie.models.llm import LLM

MAX_TOKENS = 48  # of a prompt; the rest of a longer one is not read


def prompt_states(llm: LLM, prompt: str, layers: Sequence[int]) -> Tensor:
    """States (L, len(layers) * llm width) float32 of a prompt, L <= MAX_TOKENS."""
    states = llm.hidden_states(prompt_tokens(llm.tokenize, prompt), layers)  # (layers, L, width)
    return states.transpose(0, 1).flatten(1)


def prompt_tokens(tokenize: Callable[[str], list[int]], prompt: str) -> list[int]:
    return tokenize(f"Video style: {normal(prompt)}")[:MAX_TOKENS]


def normal(prompt: str) -> str:
    """Case, outer space and a closing full stop do not matter to a look."""
    return " ".join(prompt.lower().split()).rstrip(" .!")

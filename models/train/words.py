"""LLM states of every training phrase, computed once and kept."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from reverie.models import llm
from reverie.models.config import Config
from reverie.models.prompt import prompt_states


class Words:
    """Draws phrases of a look as padded LLM states."""

    def __init__(self, phrases: Sequence[Sequence[str]], config: Config, cache: Path) -> None:
        """Args: phrases: per look, its phrases.  cache: file that keeps the states between runs."""
        flat = [phrase for look in phrases for phrase in look]
        self.owner = np.repeat(np.arange(len(phrases)), [len(look) for look in phrases])
        self.first = np.concatenate(([0], np.cumsum([len(look) for look in phrases])))
        self.states, self.length = _states(flat, config, cache)

    def draw(self, looks: NDArray[np.int64], rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """For each look a random phrase: states (B, L, width) float32 with a little noise, mask (B, L)."""
        return self.take([int(rng.integers(self.first[look], self.first[look + 1])) for look in looks], noise=0.05)

    def take(self, phrases: Sequence[int], noise: float = 0.0) -> tuple[Tensor, Tensor]:
        longest = int(self.length[list(phrases)].max())
        states = torch.from_numpy(self.states[list(phrases), :longest].astype(np.float32))
        mask = torch.arange(longest)[None] < torch.from_numpy(self.length[list(phrases)])[:, None]
        if noise:
            states = states + noise * states.std(-1, keepdim=True) * torch.randn_like(states)
        return states, mask


def _states(phrases: list[str], config: Config, cache: Path) -> tuple[NDArray[np.float16], NDArray[np.int64]]:
    key = np.array([*phrases, repr(config.llm_layers)])
    if cache.is_file():
        kept = np.load(cache)
        if np.array_equal(kept["key"], key):
            return kept["states"], kept["length"]
    model = llm.load(None, dtype=torch.float32)
    each = [prompt_states(model, phrase, config.llm_layers).numpy() for phrase in tqdm(phrases, "reading phrases")]
    length = np.array([len(states) for states in each])
    states = np.zeros((len(each), length.max(), each[0].shape[1]), np.float16)
    for row, one in zip(states, each, strict=True):
        row[: len(one)] = one.clip(-60000, 60000)
    cache.parent.mkdir(parents=True, exist_ok=True)
    partial = cache.with_name("partial-" + cache.name)
    np.savez(partial, key=key, states=states, length=length)
    partial.replace(cache)
    return states, length

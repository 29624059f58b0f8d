"""Where a prompt lands: near a look that the weights know, or on the camera's own picture.

The connector maps any words somewhere; between looks the picture is mush.  What comes near no look therefore becomes
the nearest one, and what asks for nothing gives the source back.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

from reverie.models import weights
from reverie.models.blend import Blend, styled
from reverie.models.quantise import F32
from reverie.models.request import in_english, is_noise

SHIPPED = weights.SHIPPED.with_suffix(".looks.safetensors")
NEAR = 0.8  # cosine to a look's middle from which words are taken as they are; 95 % of the phrases trained on have it
SOURCE = 0.65  # cosine to the unchanged picture's, where that is the nearest, from which nothing is asked


class Landing:
    """The middles of the looks in the space of style tokens."""

    def __init__(self, middles: dict[str, F32]) -> None:
        """Args: middles: by look, style tokens (S, cond): the mean of those of its names."""
        self.looks = list(middles)
        self.middles = np.stack([middles[look] for look in self.looks]).astype(np.float32)

    def words(self, prompt: str) -> str:
        """What the LLM is given for a prompt."""
        return in_english(prompt, self.looks)

    @cached_property
    def _directions(self) -> F32:
        flat = self.middles.reshape(len(self.looks), -1)
        return np.asarray(flat / np.linalg.norm(flat, axis=1, keepdims=True), np.float32)

    def likeness(self, tokens: F32) -> dict[str, float]:
        """Cosine of style tokens to each look, the nearest first."""
        found = self._directions @ (tokens.reshape(-1) / np.linalg.norm(tokens))
        return {self.looks[n]: float(found[n]) for n in np.argsort(-found, kind="stable")}

    def __call__(self, tokens: F32, prompt: str, pieces: int) -> F32 | None:
        """Style tokens to wear, or None for the source.

        Args: tokens: what the connector made of the prompt.  pieces: how many tokens of the LLM the prompt has.
        """
        like = self.likeness(tokens)
        look = next(iter(like))
        if look == "original" and like[look] >= SOURCE:
            return None
        nearest = next(each for each in like if each != "original")
        if like[nearest] >= NEAR:
            return tokens
        if is_noise(prompt, pieces):
            return None
        return self.middles[self.looks.index(nearest)]

    def save(self, path: Path) -> None:
        save_file(
            {look: middle.astype(np.float16) for look, middle in zip(self.looks, self.middles, strict=True)}, path
        )


def beside(path: Path) -> Landing | None:
    """The middles that belong to weights; weights without them take every prompt as it is."""
    path = path.with_suffix(".looks.safetensors")
    return Landing(load_file(path)) if path.is_file() else None


def asked(look: Blend, tokens: Callable[[str], F32 | None]) -> tuple[Blend, float]:
    """The prompts of a look that ask for something, and their share of the whole."""
    prompts, share = styled(look)
    kept = [(prompt, weight) for prompt, weight in prompts if tokens(prompt) is not None]
    total = sum(weight for _, weight in kept)
    return tuple((prompt, weight / total) for prompt, weight in kept), share * total

"""A look as shares of prompts, and the way from one look to another."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from reverie.models.prompt import normal

Blend = tuple[tuple[str, float], ...]  # prompts and their shares, which add up to 1; "" is the camera's own picture
CAMERA: Blend = (("", 1.0),)


def blend(look: str | Iterable[tuple[str, float]]) -> Blend:
    """A prompt, or prompts with weights, as shares; prompts that mean the same are added up.

    Raises: ValueError if a weight is not above 0 or there is no prompt.
    """
    parts = [(look, 1.0)] if isinstance(look, str) else list(look)
    if not parts or not all(0 < weight < float("inf") for _, weight in parts):
        raise ValueError(f"a blend needs prompts with weights above 0, got {parts}")
    shares: dict[str, float] = {}
    total = sum(weight for _, weight in parts)
    for prompt, weight in parts:
        shares[normal(prompt)] = shares.get(normal(prompt), 0.0) + weight / total
    return tuple(shares.items()) if len(shares) > 1 else ((next(iter(shares)), 1.0),)


def styled(look: Blend) -> tuple[Blend, float]:
    """The prompts of a look without the camera, and their share of the whole."""
    share = sum(weight for prompt, weight in look if prompt)
    return tuple((prompt, weight / share) for prompt, weight in look if prompt), min(share, 1.0)


@dataclass(frozen=True, slots=True)
class Fade:
    """From one look to another between two moments, in seconds of any clock."""

    old: Blend
    new: Blend
    began: float
    seconds: float

    def at(self, now: float) -> Blend:
        """What to wear now: `new` itself once the time is over."""
        share = (now - self.began) / self.seconds if self.seconds > 0 else 1.0
        if share >= 1:
            return self.new
        if share <= 0:
            return self.old
        mixed = [(prompt, (1 - share) * weight) for prompt, weight in self.old]
        return blend([*mixed, *((prompt, share * weight) for prompt, weight in self.new)])

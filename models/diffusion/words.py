"""Prompts as embeddings, and what lies between them.  L tokens, D width."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor


class Words(NamedTuple):
    """What a text encoder says of N prompts."""

    tokens: Tensor  # (N, L, D)
    pooled: Tensor | None = None  # (N, P), of SDXL

    def times(self, count: int) -> Words:
        """One prompt's, for as many rows."""
        pooled = None if self.pooled is None else self.pooled.expand(count, -1)
        return Words(self.tokens.expand(count, -1, -1), pooled)


def joined(parts: Sequence[Words]) -> Words:
    pooled = [p for words in parts if (p := words.pooled) is not None]
    return Words(torch.cat([words.tokens for words in parts]), torch.cat(pooled) if pooled else None)


def slerp(a: Tensor, b: Tensor, share: float) -> Tensor:
    """Between two sets of vectors along the sphere, with lengths in between; straight where they are parallel.

    Args: share: 0 is a, 1 is b.
    """
    if share <= 0 or share >= 1:
        return a if share <= 0 else b
    long_a, long_b = (x.norm(dim=-1, keepdim=True).clamp_min(1e-12) for x in (a.float(), b.float()))
    cosine = ((a.float() / long_a) * (b.float() / long_b)).sum(-1, keepdim=True).clamp(-1, 1)
    angle = torch.acos(cosine)
    sine = torch.sin(angle)
    flat = sine < 1e-3
    safe = torch.where(flat, torch.ones_like(sine), sine)
    at_a = torch.where(flat, torch.full_like(sine, 1 - share), torch.sin((1 - share) * angle) / safe)
    at_b = torch.where(flat, torch.full_like(sine, share), torch.sin(share * angle) / safe)
    length = (1 - share) * long_a + share * long_b
    return (length * (at_a * a.float() / long_a + at_b * b.float() / long_b)).to(a.dtype)


def mix(parts: list[tuple[Words, float]]) -> Words:
    """Words of several prompts by their shares: two along the sphere, more of them as a weighted mean."""
    if len(parts) == 1:
        return parts[0][0]
    between = _between if len(parts) == 2 else _mean
    shares = [share for _, share in parts]
    both = [p for words, _ in parts if (p := words.pooled) is not None]
    return Words(between([words.tokens for words, _ in parts], shares), between(both, shares) if both else None)


def _between(tensors: list[Tensor], shares: list[float]) -> Tensor:
    return slerp(tensors[0], tensors[1], shares[1] / sum(shares))


def _mean(tensors: list[Tensor], shares: list[float]) -> Tensor:
    total = sum(shares)
    return torch.stack([t * (share / total) for t, share in zip(tensors, shares, strict=True)]).sum(0)

"""Blocks of the network.  N pictures, C channels, Y/X plane, S tokens, D width, H heads, K = D // H."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

act = F.hardswish  # two multiplies and a clamp: the cheapest smooth epilogue (DESIGN.md, int8 layer timings)


class Film(NamedTuple):
    """Scale and shift per channel; scale 0 means unchanged."""

    scale: Tensor  # (N, C, 1, 1)
    shift: Tensor  # (N, C, 1, 1)

    def __call__(self, x: Tensor) -> Tensor:
        return x * (1 + self.scale) + self.shift


class Modulation(NamedTuple):
    """What the condition does to one half of a transformer block."""

    shift: Tensor  # (N, 1, D)
    scale: Tensor  # (N, 1, D), 0 means unchanged
    gate: Tensor  # (N, 1, D)

    def __call__(self, x: Tensor) -> Tensor:
        return F.rms_norm(x, x.shape[-1:]) * (1 + self.scale) + self.shift


class KV(NamedTuple):
    """Keys and values, each (N, H, S, K)."""

    k: Tensor
    v: Tensor


Recall = Callable[[KV], KV]
"""Takes the keys and values of the pictures at hand, returns those of the frames shown before."""


class Res(nn.Module):
    """x + conv(act(film(conv(x)))), without normalisation: nothing to reduce at run time."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.a = nn.Conv2d(width, width, 3, padding=1)
        self.b = nn.Conv2d(width, width, 3, padding=1)
        nn.init.normal_(self.a.weight, std=math.sqrt(2 / (9 * width)))
        nn.init.normal_(self.b.weight, std=0.2 / math.sqrt(9 * width))
        for conv in (self.a, self.b):
            nn.init.zeros_(_bias(conv))

    def forward(self, x: Tensor, film: Film | None = None) -> Tensor:
        h = self.a(x)
        return x + self.b(act(h if film is None else film(h)))


class Down(nn.Module):
    """Half the resolution: pixel unshuffle, then 1x1."""

    def __init__(self, width: int, out: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(4 * width, out, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(F.pixel_unshuffle(x, 2).contiguous(memory_format=torch.channels_last))


class Up(nn.Module):
    """Twice the resolution: 1x1, pixel shuffle, then the skip joined by another 1x1."""

    def __init__(self, width: int, out: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(width, 4 * out, 1)
        self.join = nn.Conv2d(2 * out, out, 1)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        x = F.pixel_shuffle(self.conv(x), 2)
        return self.join(torch.cat((x, skip), 1).contiguous(memory_format=torch.channels_last))


class Block(nn.Module):
    """Attention over this frame, the frames shown before and the style tokens; then an MLP (DiT, arXiv 2212.09748)."""

    def __init__(self, width: int, head_width: int, mlp_ratio: int, cond: int) -> None:
        super().__init__()
        self.head_width = head_width
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)
        self.style = nn.Linear(cond, 2 * width)
        self.past = nn.Parameter(torch.zeros(width // head_width, 1, head_width))  # marks keys of earlier frames
        self.between = nn.Identity()  # what passes here is measured when the network is calibrated
        self.up = nn.Linear(width, mlp_ratio * width)
        self.down = nn.Linear(mlp_ratio * width, width)

    def heads(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (-1, self.head_width)).transpose(1, 2)  # (N, H, S, K)

    def style_kv(self, tokens: Tensor) -> KV:
        """Style tokens (N, S, cond) as keys and values; constant while a prompt lasts."""
        k, v = (self.heads(x) for x in self.style(tokens).chunk(2, -1))
        return KV(unit(k), v)

    def forward(self, x: Tensor, attn: Modulation, mlp: Modulation, style: KV, rope: Tensor, recall: Recall) -> Tensor:
        q, k, v = (self.heads(h) for h in self.qkv(attn(x)).chunk(3, -1))
        q, k = rotate(unit(q), rope), rotate(unit(k), rope)
        past = recall(KV(k, v))
        keys = torch.cat((k, past.k + self.past.to(k.dtype), style.k.to(k.dtype)), 2)
        values = torch.cat((v, past.v, style.v.to(v.dtype)), 2)
        shown = F.scaled_dot_product_attention(q, keys, values).transpose(1, 2).flatten(2)
        x = self.between(x + attn.gate * self.proj(shown))
        return x + mlp.gate * self.down(act(self.up(mlp(x))))


def unit(x: Tensor) -> Tensor:
    """RMS norm over the head, in the dtype of `x` (QK norm)."""
    return F.rms_norm(x, x.shape[-1:]).to(x.dtype)


def rope_table(rows: int, columns: int, head_width: int) -> Tensor:
    """Angles of 2-D rotary embedding, (rows * columns, K / 2): half of them turn with y, half with x.

    Source: arXiv 2104.09864; the lowest frequency turns once in about 600 tokens.
    """
    frequency = 100.0 ** (-torch.arange(head_width // 4) / (head_width // 4))
    y, x = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
    return torch.cat((y.reshape(-1, 1) * frequency, x.reshape(-1, 1) * frequency), 1)


def rotate(x: Tensor, rope: Tensor) -> Tensor:
    cos, sin = rope.cos().to(x.dtype), rope.sin().to(x.dtype)
    p, q = x.chunk(2, -1)
    return torch.cat((p * cos - q * sin, p * sin + q * cos), -1)


def _bias(conv: nn.Conv2d) -> Tensor:
    assert conv.bias is not None
    return conv.bias

"""Attention of a causal video transformer over what it made before: a ring of keys and values with sinks.

Shapes never change: a ring has room for so many chunks, one of which is never given up (the sink, the first), and a
chunk attends to all of it; what is not filled yet is masked.  Keys are kept before rotation, so that a chunk's place in
time is where it lies in the window now.  B = 1, S slots' tokens, L tokens of a chunk, H heads, E channels each.
Source: Self-Forcing (arXiv 2506.08009), LongLive (arXiv 2509.22622), StreamDiffusionV2 (arXiv 2511.07399).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

Angles = tuple[Tensor, Tensor]  # cosine and sine (1, tokens, 1, E), as diffusers' WanRotaryPosEmbed gives them


class Layer(NamedTuple):
    """Keys and values of one block, (1, S, H, E)."""

    keys: Tensor
    values: Tensor


class Seen(NamedTuple):
    """What a block's attention is given where diffusers hands on its angles."""

    layer: Layer
    angles: Angles  # of the chunk
    past: Angles  # of the ring
    mask: Tensor  # (1, 1, 1, S + L), true where there is something; L of the tokens that are there
    slot: Tensor | None  # (L,), where the chunk's keys and values are put; None: nowhere


def turned(x: Tensor, angles: Angles) -> Tensor:
    """x (1, tokens, H, E) rotated, as diffusers' WanAttnProcessor does."""
    a, b = x.unflatten(-1, (-1, 2)).unbind(-1)
    cosine, sine = angles[0][..., 0::2], angles[1][..., 1::2]
    return torch.stack((a * cosine - b * sine, a * sine + b * cosine), -1).flatten(-2).type_as(x)


class RingAttention:
    """Instead of diffusers' WanAttnProcessor in the blocks' self-attention."""

    def __call__(
        self, attn: Any, hidden_states: Tensor, encoder_hidden_states: Any, attention_mask: Any, rotary_emb: Seen
    ) -> Tensor:
        seen = rotary_emb
        query, key = attn.norm_q(attn.to_q(hidden_states)), attn.norm_k(attn.to_k(hidden_states))
        query, key, value = (x.unflatten(2, (attn.heads, -1)) for x in (query, key, attn.to_v(hidden_states)))
        keys = torch.cat((turned(seen.layer.keys, seen.past), turned(key, seen.angles)), 1)
        values = torch.cat((seen.layer.values, value), 1)
        q, k, v = (x.transpose(1, 2) for x in (turned(query, seen.angles), keys, values))
        out = F.scaled_dot_product_attention(q, k, v, attn_mask=seen.mask)
        if seen.slot is not None:
            seen.layer.keys.index_copy_(1, seen.slot, key)
            seen.layer.values.index_copy_(1, seen.slot, value)
        out = attn.to_out[0](out.transpose(1, 2).flatten(2, 3).type_as(query))
        answer: Tensor = attn.to_out[1](out)
        return answer


class Ring:
    """One stream's past, in slots of one chunk each; slot 0 is the sink."""

    def __init__(self, layers: list[Layer], slots: int, chunk: int) -> None:
        """Args: chunk: tokens of one."""
        self.layers, self.slots, self.chunk = layers, slots, chunk
        self.count = 0  # chunks put in

    @staticmethod
    def of(config: Any, slots: int, chunk: int, like: Tensor) -> Ring:
        """An empty one, for a transformer of diffusers with this configuration."""
        shape = 1, slots * chunk, config.num_attention_heads, config.attention_head_dim
        layers = [Layer(like.new_zeros(shape), like.new_zeros(shape)) for _ in range(config.num_layers)]
        return Ring(layers, slots, chunk)

    def slot_of(self, number: int) -> int:
        """Where the chunk of that number lies, or lay."""
        return number if number < self.slots else 1 + (number - 1) % (self.slots - 1)

    def places(self) -> list[int]:
        """For each slot which chunk of the window it holds, counted from the oldest; 0 is the sink."""
        held = [0, *range(max(1, self.count - self.slots + 1), self.count)] if self.count else []
        at = [0] * self.slots
        for place, number in enumerate(held):
            at[self.slot_of(number)] = place
        return at

    def mask(self, device: Any, tokens: int) -> Tensor:
        """(1, 1, 1, S + L), for so many tokens L of a chunk."""
        filled, room = min(self.count, self.slots) * self.chunk, self.slots * self.chunk
        places = torch.arange(room + tokens, device=device)
        return ((places < filled) | (places >= room))[None, None, None]

    def carry(self) -> None:
        """The chunk before once more, where the next one is put: for tokens that are not made again."""
        now, before = (
            slice(n * self.chunk, (n + 1) * self.chunk) for n in map(self.slot_of, (self.count, self.count - 1))
        )
        for layer in self.layers:
            for kept in layer:
                kept[:, now] = kept[:, before]

    def next(self, device: Any) -> Tensor:
        """(L,), where the next chunk is put."""
        start = self.slot_of(self.count) * self.chunk
        return torch.arange(start, start + self.chunk, device=device)

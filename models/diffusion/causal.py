"""Wan's transformer, chunk by chunk, on diffusers' own blocks."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from reverie.models.diffusion.ring import Angles, Ring, RingAttention, Seen


class Causal:
    """What predicts the velocity of a chunk of latents (1, C, T, Y, X), given what a stream made before."""

    def __init__(self, transformer: Any) -> None:
        """Args: transformer: diffusers' WanTransformer3DModel, whose self-attention is replaced."""
        self.transformer, self.config = transformer, transformer.config
        for block in transformer.blocks:
            block.attn1.set_processor(RingAttention())

    def tokens(self, latents: int, rows: int, columns: int) -> int:
        t, y, x = self.config.patch_size
        return (latents // t) * (rows // y) * (columns // x)

    def at(self, active: Tensor, x: Tensor) -> Tensor:
        """Where tokens (A,) lie in latents x (1, C, T, Y, X): (1, 1, T, Y, X), true there."""
        t, y, x_ = self.config.patch_size
        found = torch.zeros(self.tokens(*x.shape[2:]), dtype=torch.bool, device=x.device)
        found[active] = True
        places = found.view(x.shape[2] // t, x.shape[3] // y, x.shape[4] // x_)
        for side, times in enumerate((t, y, x_)):
            places = places.repeat_interleave(times, side)
        return places[None, None]

    def __call__(
        self, x: Tensor, time: float, words: Tensor, ring: Ring, keep: bool = False, active: Tensor | None = None
    ) -> Tensor:
        """
        Args:
            x: noisy latents (1, C, T, Y, X).
            time: how noisy, 0 to 1.
            words: (1, L, D) of the text encoder.
            keep: puts the chunk's keys and values into the ring; its latents are clean then.
            active: tokens that are made (A,); the others are seen in the ring, as they were.  None: all.
        Returns: the velocity, noise less clean latents, (1, C, T, Y, X); 0 where none was made.
        """
        slot, (now, past) = ring.next(x.device) if keep else None, self.angles(x, ring)
        if active is not None:
            now = now[0][:, active], now[1][:, active]
            if slot is not None:
                ring.carry()
                slot = slot[active]
        timestep = torch.full((1,), 1000.0 * time, device=x.device)
        mask = ring.mask(x.device, now[0].shape[1])
        answer = self.forward(x, timestep, words, ring, now, past, mask, slot, active)
        ring.count += keep
        return answer

    def angles(self, x: Tensor, ring: Ring) -> tuple[Angles, Angles]:
        """Of the chunk and of the ring: the window's oldest chunk begins at time 0, the new one comes last."""
        latents = x.shape[2]
        whole = self.transformer.rope(x.new_empty(1, 1, latents * (ring.slots + 1), *x.shape[3:]))
        cut = lambda a, n: a[:, n * ring.chunk : (n + 1) * ring.chunk]
        now = min(ring.count, ring.slots)
        cosine, sine = ((cut(a, now), torch.cat([cut(a, n) for n in ring.places()], 1)) for a in whole)
        return (cosine[0], sine[0]), (cosine[1], sine[1])

    def forward(
        self, x: Tensor, timestep: Tensor, words: Tensor, ring: Ring, angles: Angles, past: Angles, mask: Tensor,
        slot: Tensor | None, active: Tensor | None = None,
    ) -> Tensor:  # fmt: skip
        """WanTransformer3DModel.forward, with a ring for each block."""
        net, (_, _, t, y, width) = self.transformer, x.shape
        pt, py, px = self.config.patch_size
        hidden = net.patch_embedding(x).flatten(2).transpose(1, 2).contiguous()
        whole = hidden.shape[1]
        if active is not None:
            hidden = hidden[:, active]
        embedded, projected, text, _ = net.condition_embedder(timestep, words, None)
        projected = projected.unflatten(1, (6, -1))
        for block, layer in zip(net.blocks, ring.layers, strict=True):
            hidden = block(hidden, text, projected, Seen(layer, angles, past, mask, slot))
        shift, scale = (net.scale_shift_table + embedded.unsqueeze(1)).chunk(2, dim=1)
        hidden = net.proj_out((net.norm_out(hidden.float()) * (1 + scale) + shift).type_as(hidden))
        if active is not None:
            hidden = hidden.new_zeros(1, whole, hidden.shape[2]).index_copy_(1, active, hidden)
        hidden = hidden.reshape(1, t // pt, y // py, width // px, pt, py, px, -1).permute(0, 7, 1, 4, 2, 5, 3, 6)
        return hidden.flatten(6, 7).flatten(4, 5).flatten(2, 3)

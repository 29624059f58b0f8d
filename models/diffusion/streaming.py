"""Wan's video autoencoder (2.1 and 2.2) as a stream: what the whole clip at once would give, a latent at a time."""

from __future__ import annotations

from typing import Any

import torch
from diffusers.models.autoencoders.autoencoder_kl_wan import patchify, unpatchify
from torch import Tensor

Features = list[Any]  # what causal convolutions keep of the past: tensors, None, or diffusers' "Rep"


class Codec:
    """diffusers' AutoencoderKLWan without its tiles; each stream brings its own features."""

    def __init__(self, vae: Any) -> None:
        config = vae.config
        self.vae, self.factor, self.channels = vae, int(config.scale_factor_spatial), int(config.z_dim)
        column = lambda x: torch.tensor(x, dtype=vae.dtype, device=vae.device)[None, :, None, None, None]
        self.mean, self.deviation = column(config.latents_mean), column(config.latents_std)

    def fresh(self) -> tuple[Features, Features]:
        """Before the first frame: of the encoder and of the decoder."""
        counts = self.vae._cached_conv_counts
        return [None] * counts["encoder"], [None] * counts["decoder"]

    def encode(self, frames: Tensor, past: Features) -> Tensor:
        """One latent (1, C, 1, Y, X) of a stream's first frame or of its next four, (1, 3, T, H, W) from -1 to 1."""
        if self.vae.config.patch_size is not None:
            frames = patchify(frames, self.vae.config.patch_size)
        made = self.vae.quant_conv(self.vae.encoder(frames, feat_cache=past, feat_idx=[0]))
        return (made[:, : self.channels] - self.mean) / self.deviation

    def decode(self, latent: Tensor, past: Features) -> Tensor:
        """Frames (1, 3, T, H, W) from -1 to 1 of one latent: one of the first, four of each after it."""
        first = all(each is None for each in past)
        x = self.vae.post_quant_conv(latent * self.deviation + self.mean)
        frames: Tensor = self.vae.decoder(x, feat_cache=past, feat_idx=[0], first_chunk=first)
        if self.vae.config.patch_size is not None:
            frames = unpatchify(frames, self.vae.config.patch_size)
        return frames.clamp(-1, 1)

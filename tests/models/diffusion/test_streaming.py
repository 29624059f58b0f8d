"""The video autoencoder as a stream against the whole clip."""

import pytest
import torch
from diffusers import AutoencoderKLWan

from reverie.models.diffusion.streaming import Codec


@pytest.mark.parametrize("kind", ["wan", "lucy"])
@torch.inference_mode()
def test_a_latent_at_a_time_is_the_whole_clip(kind: str, request: pytest.FixtureRequest) -> None:
    vae = AutoencoderKLWan.from_pretrained(request.getfixturevalue(kind) / "vae").eval()
    codec = Codec(vae)
    frames = torch.rand(1, 3, 13, 32, 48, generator=torch.Generator().manual_seed(1)) * 2 - 1
    past, future = codec.fresh()
    latents = [codec.encode(part, past) for part in (frames[:, :, :1], *frames[:, :, 1:].split(4, 2))]
    whole = vae.encode(frames).latent_dist.mode()
    streamed = torch.cat(latents, 2) * codec.deviation + codec.mean
    assert torch.allclose(streamed, whole, atol=1e-5)
    shown = torch.cat([codec.decode(latent, future) for latent in latents], 2)
    assert shown.shape == frames.shape and torch.allclose(shown, vae.decode(whole).sample, atol=1e-4)

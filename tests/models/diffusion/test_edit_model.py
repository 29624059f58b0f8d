"""The modules of an edit pipeline."""

from pathlib import Path

import numpy as np
import torch
from diffusers import Flux2KleinPipeline

from reverie.models.diffusion.network import load


def test_places_and_noise_are_those_of_diffusers(klein: Path) -> None:
    model = load(klein, "cpu")
    grid, camera = model.ids(4, 6)
    assert torch.equal(grid, Flux2KleinPipeline._prepare_latent_ids(torch.zeros(1, 4, 4, 6))[0])
    assert torch.equal(camera, Flux2KleinPipeline._prepare_image_ids([torch.zeros(1, 4, 4, 6)])[0])
    sigmas = model.sigmas(24, 1.0)
    assert sigmas[0] == 1.0 and sigmas == sorted(sigmas, reverse=True) and len(sigmas) == 4
    assert model.sigmas(24, 0.5) == [0.5 * sigma for sigma in sigmas]


def test_a_frame_becomes_tokens_and_a_frame_again(klein: Path) -> None:
    model = load(klein, "cpu")
    frame = np.random.default_rng(0).integers(0, 256, (64, 96, 3), np.uint8)
    with torch.inference_mode():
        tokens = model.encode(frame)
        assert tokens.shape == (1, 24, 16) and model.decode(tokens, 4, 6).shape == frame.shape

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
    theirs = Flux2KleinPipeline._prepare_image_ids([torch.zeros(1, 4, 4, 6), torch.zeros(1, 4, 24, 24)])[0]
    assert torch.equal(torch.cat((camera, model.picture_ids())), theirs)
    sigmas = model.sigmas(24, 1.0)
    assert sigmas[0] == 1.0 and sigmas == sorted(sigmas, reverse=True) and len(sigmas) == 4
    assert model.sigmas(24, 0.5) == [0.5 * sigma for sigma in sigmas]


def test_a_frame_becomes_tokens_and_a_frame_again(klein: Path) -> None:
    model = load(klein, "cpu")
    frame = np.random.default_rng(0).integers(0, 256, (64, 96, 3), np.uint8)
    with torch.inference_mode():
        tokens = model.encode(frame)
        assert tokens.shape == (1, 24, 16) and model.decode(tokens, 4, 6).shape == frame.shape


def test_the_middle_of_a_picture_is_seen(klein: Path) -> None:
    model = load(klein, "cpu")
    square = np.random.default_rng(0).integers(0, 256, (384, 384, 3), np.uint8)
    wide = np.concatenate([np.zeros((384, 100, 3), np.uint8), square, np.zeros((384, 100, 3), np.uint8)], 1)
    names = model.picture(square), model.picture(wide)
    assert names[0] != names[1] and np.array_equal(*(model.pictures[name] for name in names))
    both = model.wish(((names[0], 0.25), (model.picture(square // 2), 0.25), ("fox", 0.5))).picture
    halves = (model.pictures[names[0]] + model.pictures[model.picture(square // 2)]) / 2
    assert both is not None and np.allclose(both[0], halves, atol=1e-6)

"""ControlNets against diffusers' own img2img pipeline parts."""

from pathlib import Path

import numpy as np
import pytest
import torch

from reverie.models.diffusion.network import ImageModel, load
from reverie.models.diffusion.together import shots_of


@pytest.fixture(scope="module")
def model(full: Path) -> ImageModel:
    return load(full, "cpu")


def clip(count: int = 2) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, 64, 96, 3), np.uint8)


@torch.inference_mode()
def test_the_network_is_told_what_diffusers_would_tell_it(model: ImageModel) -> None:
    stream = model.stream()
    stream.start("fox <control:edges:0.75> <control:depth:0.5>")
    (shot,) = shots_of([stream], clip(1))
    asked = next(stream.work(shot))
    ours = model.predict([asked])[0]
    down, middle = None, None
    for name, scale in (("edges", 0.75), ("depth", 0.5)):
        d, m = model.controls._nets[name](
            asked.latents, asked.timesteps, asked.words.tokens, asked.maps[name], conditioning_scale=scale,
            return_dict=False,
        )  # fmt: skip
        down, middle = (d, m) if down is None else ([a + b for a, b in zip(down, d, strict=True)], middle + m)
    theirs = model.unet(
        asked.latents, asked.timesteps, asked.words.tokens, down_block_additional_residuals=down,
        mid_block_additional_residual=middle, added_cond_kwargs={"image_embeds": [asked.picture]},
    ).sample  # fmt: skip
    assert torch.allclose(ours, theirs, atol=1e-5)


def test_a_map_goes_through_the_steps_with_its_frame_and_others_have_none(model: ImageModel) -> None:
    held, free = model.stream(), model.stream()
    held.start("fox <control:edges:1>")
    free.start("fox")
    frames = clip(4)
    alone = model.stream()
    alone.start("fox")
    for n, expected in enumerate(alone.step(frames)):
        shown = dict(model.step_many([held, free], [frames[n]] * 2))
        assert np.abs(shown[1].astype(int) - expected).max() <= 1
        assert not np.array_equal(shown[0], shown[1])
    assert torch.equal(held._maps["edges"][1], model.controls.maps(frames[2], (("edges", 1.0),))["edges"][0])
    again = model.stream()
    again.load(held.save())
    assert np.array_equal(again.step(frames[:2]), held.step(frames[:2]))


def test_a_control_that_is_not_there_is_one_sentence(model: ImageModel) -> None:
    with pytest.raises(ValueError, match="no control 'normal'; this model has depth, edges, pose"):
        model.prepare("fox <control:normal:1>")

"""Reference pictures against diffusers' own IP-Adapter."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from reverie.models.diffusion.network import load


@pytest.fixture(scope="module")
def folder(full: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    ignored = shutil.ignore_patterns("controlnet_*", "loras")
    return Path(shutil.copytree(full, tmp_path_factory.mktemp("ip") / "tiny", ignore=ignored))


def picture(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (32, 32, 3), np.uint8)


@torch.inference_mode()
def test_the_network_is_asked_as_diffusers_asks_it(folder: Path) -> None:
    from diffusers import StableDiffusionPipeline
    from transformers import CLIPImageProcessor, CLIPVisionModelWithProjection

    model = load(folder, "cpu")
    stream = model.stream()
    stream.start(model.picture(picture(1)))
    wish, x, t = stream.wish, torch.randn(1, 4, 8, 8), torch.tensor([300])
    assert wish is not None and wish.picture is not None
    ours = model.unet(x, t, wish.words.tokens, added_cond_kwargs={"image_embeds": [wish.picture]}).sample
    theirs = StableDiffusionPipeline.from_pretrained(folder, safety_checker=None)
    theirs.load_ip_adapter(
        str(folder), subfolder="ip_adapter", weight_name="ip-adapter.safetensors", image_encoder_folder=None
    )
    encoder = CLIPVisionModelWithProjection.from_pretrained(folder / "image_encoder").eval()
    sides = {"size": {"shortest_edge": 32}, "crop_size": {"height": 32, "width": 32}}
    pixels = CLIPImageProcessor(**sides)(picture(1), return_tensors="pt").pixel_values
    seen = encoder(pixels).image_embeds[:, None]
    expected = theirs.unet(x, t, wish.words.tokens, added_cond_kwargs={"image_embeds": [seen]}).sample
    assert torch.allclose(ours, expected, atol=1e-4)


def test_a_picture_stands_in_a_blend_and_its_absence_costs_no_bit(folder: Path, full: Path, tmp_path: Path) -> None:
    model, frames = load(folder, "cpu"), picture(2)[None]
    bare = Path(shutil.copytree(folder, tmp_path / "bare", ignore=shutil.ignore_patterns("ip_adapter")))
    shown = []
    for each, look in (
        (load(bare, "cpu"), "fox"),
        (model, "fox"),
        (model, ((model.picture(picture(1)), 1.0), ("fox", 1.0))),
    ):
        stream = each.stream()
        stream.start(look)
        shown.append(stream.step(frames))
    assert np.array_equal(shown[0], shown[1]) and not np.array_equal(shown[1], shown[2])


def test_a_saved_stream_brings_its_picture(folder: Path) -> None:
    first, second = load(folder, "cpu"), load(folder, "cpu")
    stream = first.stream()
    stream.start(first.picture(picture(1)))
    stream.step(picture(2)[None])
    other = second.stream()
    other.load(stream.save())
    assert np.array_equal(other.step(picture(3)[None]), stream.step(picture(3)[None]))


def test_a_model_without_an_adapter_says_so(turbo: Path) -> None:
    with pytest.raises(ValueError, match="has no ip_adapter"):
        load(turbo, "cpu").picture(picture(1))
    with pytest.raises(ValueError, match="has no ip_adapter"):
        load(turbo, "cpu").prepare("picture:abc")

"""Edit models as a stream, against diffusers' own pipeline."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from reverie.models.diffusion.edit_model import EditModel
from reverie.models.diffusion.network import load


def clip(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, 64, 96, 3), np.uint8)


@pytest.fixture(scope="module")
def model(klein: Path) -> EditModel:
    found = load(klein, "cpu")
    assert isinstance(found, EditModel)
    return found


def test_a_frame_is_what_the_pipeline_of_diffusers_makes(model: EditModel, klein: Path) -> None:
    from diffusers import Flux2KleinPipeline

    theirs = Flux2KleinPipeline.from_pretrained(klein)
    theirs.set_progress_bar_config(disable=True)
    frame, stream = clip(1), model.stream()
    stream.start("make it rain", seed=5)
    ours = stream.step(frame)[0]
    noise = model.fixed(5, torch.zeros(1, 24, 16)).transpose(1, 2).unflatten(2, (4, 6))
    made = theirs(
        prompt="make it rain", image=Image.fromarray(frame[0]), num_inference_steps=4, guidance_scale=1.0, latents=noise,
        height=64, width=96, output_type="np",
    ).images[0]  # fmt: skip
    assert np.abs(ours - made * 255).max() <= 1.5
    assert ours.std() > 1


def test_without_skip_each_frame_is_made_as_if_it_were_the_first(model: EditModel) -> None:
    frames, stream, fresh = clip(2), model.stream(), model.stream()
    for each in (stream, fresh):
        each.start("make it rain", seed=5)
    assert np.array_equal(stream.step(frames)[1:], fresh.step(frames[1:]))
    assert stream.work_saved == 0


def test_tokens_that_did_not_change_are_left_out(klein: Path) -> None:
    model = load(klein, "cpu", skip=4.0)
    first, second = clip(1)[0], clip(1)[0].copy()
    second[:16, :16] = 255 - second[:16, :16]
    stream, whole = model.stream(), model.stream()
    stream.start("fox", seed=1)
    shown = stream.step(np.stack([first, first]))
    assert np.array_equal(*shown)
    before = stream._latents.clone()
    stream.step(second[None])
    anew = [row * 6 + column for row in range(3) for column in range(3)]  # blurred by a pixel, and their neighbours
    assert stream.work_saved == pytest.approx(1 - (24 + len(anew)) / 72)
    whole.start("fox", seed=1)
    whole.step(second[None])
    apart = [(x - whole._latents)[:, anew].norm() for x in (stream._latents, before)]
    assert apart[0] < 0.5 * apart[1]  # nearly what all tokens anew would give
    others = [n for n in range(24) if n not in anew]
    assert torch.equal(stream._latents[:, others], before[:, others])
    stream.start("owl", seed=1)
    stream.step(second[None])
    assert stream.work_saved == pytest.approx(1 - (48 + len(anew)) / 96)  # another look: all anew


def test_the_contract_holds(model: EditModel) -> None:
    frames, whole, cut, late = clip(3), model.stream(), model.stream(), model.stream()
    for stream in (whole, cut):
        stream.start("fox", seed=1, strength=0.7)
    expected = whole.step(frames)
    first = cut.step(frames[:1])
    late.load(cut.save())
    assert np.array_equal(np.concatenate([first, late.step(frames[1:])]), expected)
    late.start("fox", strength=0.0)
    assert np.array_equal(late.step(frames), frames)
    with pytest.raises(ValueError, match="not a saved stream"):
        late.load(b"something else")
    with pytest.raises(ValueError, match="words and LoRAs alone"):
        model.prepare("fox --no blur")

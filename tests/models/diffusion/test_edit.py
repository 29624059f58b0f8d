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


def test_a_reference_picture_is_the_second_of_the_pipeline(model: EditModel, klein: Path) -> None:
    from diffusers import Flux2KleinPipeline

    theirs = Flux2KleinPipeline.from_pretrained(klein)
    theirs.set_progress_bar_config(disable=True)
    frame, stream, plain = clip(1), model.stream(), model.stream()
    seen = np.random.default_rng(3).integers(0, 256, (384, 384, 3), np.uint8)
    stream.start([(model.picture(seen), 1.0), ("make it rain", 1.0)], seed=5)
    plain.start("make it rain", seed=5)
    ours = stream.step(frame)[0]
    noise = model.fixed(5, torch.zeros(1, 24, 16)).transpose(1, 2).unflatten(2, (4, 6))
    made = theirs(
        prompt="make it rain", image=[Image.fromarray(frame[0]), Image.fromarray(seen)], num_inference_steps=4,
        guidance_scale=1.0, latents=noise, height=64, width=96, output_type="np",
    ).images[0]  # fmt: skip
    assert np.abs(ours - made * 255).max() <= 1.5
    assert np.abs(ours.astype(int) - plain.step(frame)[0]).max() > 3


def test_a_reference_picture_is_kept_beside_tokens_and_travels_with_the_stream(klein: Path) -> None:
    first, second = clip(1)[0], clip(1)[0].copy()
    second[:16, :16] = 255 - second[:16, :16]
    model, other = load(klein, "cpu", skip=4.0), load(klein, "cpu", skip=4.0)
    stream, late, wide = model.stream(), other.stream(), np.zeros((40, 80, 3), np.uint8)
    stream.start(model.picture(wide), seed=1)
    stream.step(first[None])
    with pytest.raises(ValueError, match="there is no reference picture"):
        late.start(stream.look)
    late.load(stream.save())
    shown = stream.step(second[None])
    assert 0 < stream.work_saved < 1 and np.array_equal(shown, late.step(second[None]))


def test_a_model_that_is_not_distilled_is_guided_as_diffusers_does(klein: Path, tmp_path: Path) -> None:
    from diffusers import Flux2KleinPipeline

    theirs = Flux2KleinPipeline.from_pretrained(klein, is_distilled=False)
    theirs.set_progress_bar_config(disable=True)
    theirs.save_pretrained(tmp_path / "base")
    model, frame = load(tmp_path / "base", "cpu"), clip(1)
    model.steps = 1
    noise = model.fixed(5, torch.zeros(1, 24, 16)).transpose(1, 2).unflatten(2, (4, 6))
    for options, negative in (("--guidance 3", ""), ("--no blur --guidance 3", "blur")):
        stream = model.stream()
        stream.start(f"make it rain {options}", seed=5)
        made = theirs(
            prompt="make it rain", image=Image.fromarray(frame[0]), num_inference_steps=1, guidance_scale=3.0, latents=noise,
            negative_prompt_embeds=theirs.encode_prompt(negative)[0], height=64, width=96, output_type="np",
        ).images[0]  # fmt: skip
        assert np.abs(stream.step(frame)[0] - made * 255).max() <= 1.5
    model.steps = 4
    whole, late, plain, one = (model.stream() for _ in range(4))
    whole.start("make it rain --no blur")
    whole.step(frame)
    late.load(whole.save())
    plain.start("make it rain")
    one.start("make it rain --guidance 1")
    assert np.array_equal(whole.step(frame), late.step(frame))
    assert np.array_equal(plain.step(frame), one.step(frame)) and not np.array_equal(
        plain.step(frame), late.step(frame)
    )


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
    with pytest.raises(ValueError, match="tiny-klein takes no negative prompts"):
        model.prepare("fox --no blur")

"""Image diffusion as a stream, against plain loops over the same modules of diffusers."""

from pathlib import Path

import numpy as np
import pytest
import torch

from reverie.models import registry
from reverie.models.diffusion.image import ImageStream, Shot, noise
from reverie.models.diffusion.network import ImageModel, load
from reverie.models.diffusion.schedule import schedule


def clip(count: int, height: int = 64, width: int = 96, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, height, width, 3), np.uint8)


def started(model: ImageModel, prompt: str = "a marble statue", **settings: float) -> ImageStream:
    stream = model.stream()
    stream.start(prompt, **settings)  # type: ignore[arg-type]
    return stream


@torch.inference_mode()
def through(model: ImageModel, stream: ImageStream, source: torch.Tensor) -> torch.Tensor:
    """What comes out when latents (1, C, Y, X) go in."""
    work = stream.work(Shot(source))
    asked = next(work)
    while True:
        try:
            asked = work.send(model.predict([asked])[0])
        except StopIteration as done:
            return done.value


@torch.inference_mode()
def plain(model: ImageModel, source: torch.Tensor, prompt: str, seed: int) -> torch.Tensor:
    """All steps of one frame, one after the other, with the parts of diffusers."""
    plan = schedule(model.scheduler, model.steps, 1.0, torch.float32, "cpu")
    fixed = noise(seed, (model.steps, *source.shape[1:]))
    tokens = model.pipeline.encode_prompt(prompt, "cpu", 1, False)[0]
    clean = source
    for i, t in enumerate(plan.timesteps):
        x = model.scheduler.add_noise(clean, fixed[i : i + 1], t[None])
        predicted = model.unet(x, t, tokens).sample
        kept = model.scheduler.alphas_cumprod[t]
        clean = (x - (1 - kept).sqrt() * predicted) / kept.sqrt()
        skip, out = model.scheduler.get_scalings_for_boundary_condition_discrete(t)
        clean = out * clean + skip * x
    return clean


def test_a_batch_of_steps_is_as_many_separate_runs(lcm: Path) -> None:
    model = load(lcm, "cpu")
    assert model.steps == 4
    sources = torch.randn(6, 1, 4, 8, 12, generator=torch.Generator().manual_seed(5))
    stream = started(model, seed=3)
    shown = [through(model, stream, source) for source in sources]
    for n, latents in enumerate(shown):
        expected = plain(model, sources[max(0, n - 3)], "a marble statue", 3)
        assert (latents - expected).norm() < 1e-4 * expected.norm()
    assert (shown[5] - shown[4]).norm() > 0.1 * shown[4].norm()


def test_rows_of_several_sessions_in_one_call_are_answered_as_alone(lcm: Path) -> None:
    model = load(lcm, "cpu")
    asked = [
        next(started(model, prompt, seed=n).work(Shot(torch.randn(1, 4, 8, 12))))
        for n, prompt in enumerate(("fox", "owl"))
    ]
    with torch.inference_mode():
        both, alone = model.predict(asked), [model.predict([rows])[0] for rows in asked]
    for a, b in zip(both, alone, strict=True):
        assert (a - b).norm() < 1e-5 * b.norm()
    assert (alone[0] - alone[1]).norm() > 0.1 * alone[0].norm()


def test_cuts_do_not_change_a_bit_and_a_seed_gives_the_same_bits(lcm: Path) -> None:
    model, frames = load(lcm, "cpu"), clip(5)
    whole, cut = started(model, seed=1), started(model, seed=1)
    parts = np.concatenate([cut.step(frames[:2]), cut.step(frames[2:2]), cut.step(frames[2:])])
    assert np.array_equal(whole.step(frames), parts)
    assert not np.array_equal(started(model, seed=2).step(frames), parts)


def test_a_saved_stream_goes_on_identically(lcm: Path) -> None:
    model, frames = load(lcm, "cpu", skip=40.0), clip(6) // 4
    first, second = started(model, seed=1), model.stream()
    first.step(frames[:3])
    second.load(first.save())
    assert np.array_equal(first.step(frames[3:]), second.step(frames[3:]))
    with pytest.raises(ValueError, match="not a saved stream"):
        second.load(b"something else")


def test_no_look_and_no_strength_give_the_camera_bit_for_bit(turbo: Path) -> None:
    model, frames = load(turbo, "cpu"), clip(2)
    assert np.array_equal(started(model, "").step(frames), frames)
    assert np.array_equal(started(model, strength=0.0).step(frames), frames)
    assert not np.array_equal(started(model, strength=0.5).step(frames), started(model, strength=1.0).step(frames))


def test_a_prompt_takes_effect_on_the_next_frame(turbo: Path) -> None:
    model, frames = load(turbo, "cpu"), clip(1)
    stream = started(model, "fox")
    before = stream.step(frames)
    stream.wear((("owl", 1.0),))
    assert not np.array_equal(stream.step(frames), before)
    assert np.array_equal(stream.step(frames), started(model, "owl").step(frames))


@torch.inference_mode()
def test_a_negative_prompt_of_one_step_is_full_guidance(turbo: Path) -> None:
    model, source = load(turbo, "cpu"), torch.randn(1, 4, 8, 12)
    ours = through(model, started(model, "fox --no blur --guidance 2.5", seed=3), source)
    plan = schedule(model.scheduler, 1, 1.0, torch.float32, "cpu")
    t = plan.timesteps
    x = plan.noisy(source, noise(3, (1, *source.shape[1:])))
    said = [model.unet(x, t, model.pipeline.encode_prompt(p, "cpu", 1, False)[0]).sample for p in ("fox", "blur")]
    kept = model.scheduler.alphas_cumprod[t]
    expected = (x - (1 - kept).sqrt() * (said[1] + 2.5 * (said[0] - said[1]))) / kept.sqrt()
    assert (ours - expected).norm() < 1e-4 * expected.norm()
    assert (ours - through(model, started(model, "fox", seed=3), source)).norm() > 1e-3 * ours.norm()


def test_what_was_made_before_is_taken_along_and_saved(turbo: Path, lcm: Path) -> None:
    for folder in (turbo, lcm):
        model, frames = load(folder, "cpu"), clip(7)
        whole, first, second = (started(model, "fox --steady 0.6") for _ in range(3))
        expected = whole.step(frames)
        assert not np.array_equal(expected, started(model, "fox").step(frames))
        first.step(frames[:3])
        second.load(first.save())
        assert np.array_equal(second.step(frames[3:]), expected[3:])


def test_still_pictures_are_left_out_and_counted(turbo: Path) -> None:
    stream = started(load(turbo, "cpu", skip=2.0))
    frames = np.repeat(clip(1), 23, axis=0)
    assert len(np.unique(stream.step(frames), axis=0)) == 1
    assert stream.work_saved == pytest.approx(20 / 23)  # at most ten in a row


def test_a_size_may_change_and_odd_latents_are_fine(turbo: Path) -> None:
    stream = started(load(turbo, "cpu"))
    assert stream.step(clip(1, 80, 144)).shape == (1, 80, 144, 3)
    assert stream.step(clip(1, 48, 16)).shape == (1, 48, 16, 3)


def test_the_contract_refuses_what_it_must(turbo: Path) -> None:
    stream = load(turbo, "cpu").stream()
    with pytest.raises(RuntimeError, match="start"):
        stream.step(clip(1))
    with pytest.raises(ValueError, match="strength"):
        stream.start("fox", strength=2.0)
    with pytest.raises(ValueError, match="seed"):
        stream.start("fox", seed=-1)
    stream.start("fox")
    with pytest.raises(ValueError, match="multiples of 16"):
        stream.step(clip(1, 60, 96))


def test_the_registry_loads_a_folder(turbo: Path) -> None:
    assert registry.load(str(turbo), "cpu").name == "tiny-turbo"
    with pytest.raises(ValueError, match="not on 'torch'"):
        registry.load(str(turbo), "torch")

"""Causal video diffusion as a stream."""

from pathlib import Path

import numpy as np
import pytest
import torch

from reverie.models.diffusion.network import load
from reverie.models.diffusion.video import MOVED, MOVING, STILL, noisiness
from reverie.models.diffusion.video_model import VideoModel


def clip(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, 32, 48, 3), np.uint8)


@pytest.fixture(scope="module")
def model(wan: Path) -> VideoModel:
    found = load(wan, "cpu")
    assert isinstance(found, VideoModel)
    return found


def test_less_noise_where_more_moves_and_never_suddenly() -> None:
    assert noisiness(0.0, None) == STILL and noisiness(1.0, None) == pytest.approx(MOVING)
    assert noisiness(MOVED / 2, None) == pytest.approx((STILL + MOVING) / 2)
    assert noisiness(1.0, STILL) == pytest.approx(0.9 * MOVING + 0.1 * STILL)


@torch.inference_mode()
def test_chunks_are_what_a_plain_loop_makes(model: VideoModel) -> None:
    frames, stream = clip(26), model.stream()
    stream.start("fox", seed=4)
    shown = stream.step(frames)
    past, future = model.codec.fresh()
    still = np.repeat(frames[:1], 4, 0)
    chunks = [[still[:1], still, still], *([frames[n + 4 * i : n + 4 * i + 4] for i in range(3)] for n in (1, 13))]
    ring, words, share, expected = model.ring(32, 48), model.words("fox"), None, []
    for number, parts in enumerate(chunks):
        source = torch.cat([model.encode(part, past) for part in parts], 2)
        before = frames[0] if number < 2 else frames[12]
        moved = [
            model.apart(a, b) for a, b in zip(np.concatenate(parts), [before, *np.concatenate(parts)], strict=False)
        ]
        share = noisiness(sum(moved) / len(moved) if number else 0.0, share)
        x = source
        for step in range(2):
            time = share * (1 - step / 2)
            x = (1 - time) * x + time * model.fixed(4, number, step, source)
            x = x - time * model.net(x, time, words, ring)
        model.net(x, 0.0, words, ring, keep=True)
        expected.append(np.concatenate([model.decode(latent, future, 32, 48) for latent in x.split(1, 2)]))
    assert np.array_equal(shown[0], expected[0][-1]) and np.array_equal(shown[12], expected[0][-1])
    assert np.abs(shown[13:25].astype(int) - expected[1]).max() <= 1  # twelve frames behind
    assert np.abs(shown[25].astype(int) - expected[2][0]).max() <= 1


def test_cuts_do_not_change_a_bit_and_a_saved_stream_goes_on(model: VideoModel) -> None:
    frames, whole, cut, late = clip(32), model.stream(), model.stream(), model.stream()
    for stream in (whole, cut):
        stream.start("fox", seed=1)
    expected = whole.step(frames)
    first = np.concatenate([cut.step(frames[:7]), cut.step(frames[7:7]), cut.step(frames[7:18])])
    late.load(cut.save())
    assert np.array_equal(np.concatenate([first, late.step(frames[18:])]), expected)
    assert not np.array_equal(expected[20], expected[14])
    with pytest.raises(ValueError, match="not a saved stream"):
        late.load(b"something else")


def test_a_prompt_takes_effect_on_the_next_chunk_and_no_look_is_the_camera(model: VideoModel) -> None:
    frames, stream, other = clip(38), model.stream(), model.stream()
    for each in (stream, other):
        each.start("fox")
        each.step(frames[:20])
    stream.wear((("owl", 1.0),))
    shown, kept = stream.step(frames[20:]), other.step(frames[20:])
    assert np.array_equal(shown[:5], kept[:5]) and not np.array_equal(shown[5:], kept[5:])
    stream.start("")
    assert np.array_equal(stream.step(frames[:2]), frames[:2])
    with pytest.raises(ValueError, match="words alone"):
        model.prepare("fox <lora:ink:1>")


@torch.inference_mode()
def test_a_model_that_edits_sees_the_camera_beside_the_noise(lucy: Path) -> None:
    from diffusers import WanTransformer3DModel

    model, frames = load(lucy, "cpu"), np.random.default_rng(0).integers(0, 256, (1, 48, 80, 3), np.uint8)
    assert model.edits and model.steps == 4
    stream = model.stream()
    stream.start("make it rain", seed=4)
    shown = stream.step(frames)  # painted with sides that are multiples of 32
    assert shown.shape == frames.shape
    whole = WanTransformer3DModel.from_pretrained(lucy / "transformer").eval()
    past, _ = model.codec.fresh()
    still = np.repeat(frames, 4, 0)
    source = torch.cat([model.encode(part, past) for part in (still[:1], still, still)], 2)
    x = source
    for step in range(4):
        time = 1 - step / 4
        x = (1 - time) * x + time * model.fixed(4, 0, step, source)
        seen = torch.cat((x, source), 1)
        x = x - time * whole(seen, torch.tensor([1000 * time]), model.words("make it rain")).sample
    assert torch.allclose(stream._x, x, atol=1e-4)

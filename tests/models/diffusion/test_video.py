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


@torch.inference_mode()
def test_a_negative_prompt_leads_away_from_what_it_makes_of_the_first_step(model: VideoModel) -> None:
    frames, stream, plain, one = clip(1), model.stream(), model.stream(), model.stream()
    stream.start("fox --no blur --guidance 3", seed=4)
    shown = stream.step(frames)
    past, _ = model.codec.fresh()
    still = np.repeat(frames, 4, 0)
    source = torch.cat([model.encode(part, past) for part in (still[:1], still, still)], 2)
    ring, words, negative, x = model.ring(32, 48), model.words("fox"), model.words("blur"), source
    for step in range(2):
        time = STILL * (1 - step / 2)
        x = (1 - time) * x + time * model.fixed(4, 0, step, source)
        said = model.net(x, time, words, ring)
        if step == 0:  # as WanPipeline does: noise_uncond + guidance_scale * (noise_pred - noise_uncond)
            other = model.net(x, time, negative, ring)
            anchor, x = x - time * other, x - time * (other + 3 * (said - other))
        else:
            x = anchor + 3 * (x - time * said - anchor)
    assert torch.allclose(stream._x, x, atol=1e-4)
    plain.start("fox", seed=4)
    one.start("fox --guidance 1", seed=4)
    assert np.array_equal(plain.step(frames), one.step(frames)) and not np.array_equal(plain.step(frames), shown)


def test_guidance_without_a_negative_prompt_leads_away_from_no_words(model: VideoModel) -> None:
    away = model.wish((("fox --guidance 2", 1.0),)).away
    assert away is not None and away.words is model.words("") and away.scale == 2


def test_cuts_do_not_change_a_bit(model: VideoModel) -> None:
    frames, whole, cut = clip(20), model.stream(), model.stream()
    for stream in (whole, cut):
        stream.start("fox", seed=1)
    parts = np.concatenate([cut.step(frames[:7]), cut.step(frames[7:7]), cut.step(frames[7:])])
    assert np.array_equal(whole.step(frames), parts)


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


def test_with_another_look_the_past_is_told_anew(model: VideoModel) -> None:
    frames, stream = clip(24), model.stream()
    stream.start("fox")
    stream.step(frames[:18])  # two chunks are in the ring
    old = stream._ring
    stream.wear((("owl", 1.0),))
    stream.step(frames[18:19])
    assert stream._ring is old  # half of it
    stream.step(frames[19:20])
    ring, words = model.ring(32, 48), model.words("owl")
    for made, source in stream._kept:
        model.velocity(made, 0.0, words, ring, source, keep=True)
    assert stream._ring is not None and stream._ring.count == ring.count == 2
    for ours, expected in zip(stream._ring.layers, ring.layers, strict=True):
        assert torch.equal(ours.keys, expected.keys) and torch.equal(ours.values, expected.values)


def test_places_that_rest_are_left_out_and_where_all_moves_nothing_changes(wan: Path, model: VideoModel) -> None:
    careful, frames = load(wan, "cpu", skip=4.0), clip(26)
    whole, same, stream = model.stream(), careful.stream(), careful.stream()
    for each in (whole, same, stream):
        each.start("fox", seed=1)
    assert np.array_equal(whole.step(frames), same.step(frames))
    assert whole.work_saved == same.work_saved == 0
    still = np.repeat(np.random.default_rng(1).integers(0, 256, (1, 64, 96, 3), np.uint8), 14, 0)
    moved = still.copy()
    moved[:, :16, :16] = 255 - moved[:, :16, :16]
    stream.step(still[:13])  # a chunk that stands, and another
    assert stream.work_saved == pytest.approx(1 / 2)
    before = stream._x.clone()
    stream.step(moved[:12])
    places = [row * 6 + column for row in range(2) for column in range(2)]
    assert stream._active is not None
    assert set(places) <= set(stream._active.tolist()) and len(stream._active) < 72 / 2
    there = careful.net.at(stream._active, before).expand_as(before)
    assert torch.equal(stream._x[~there], before[~there]) and (stream._x[there] != before[there]).any()
    stream.wear((("owl", 1.0),))
    stream.step(moved[:12])
    assert stream._active is None  # another look: all anew
    assert stream.step(moved[:1]).std() > 0

"""Frames of several streams in as few calls as may be."""

from pathlib import Path

import numpy as np
import pytest
import torch

from reverie.models.diffusion.image import ImageStream
from reverie.models.diffusion.network import ImageModel, load
from reverie.models.diffusion.together import step_many


def clip(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, 64, 96, 3), np.uint8)


def started(model: ImageModel, prompt: str = "a marble statue") -> ImageStream:
    stream = model.stream()
    stream.start(prompt)
    return stream


def test_sessions_in_one_batch_get_what_they_get_alone(lcm: Path) -> None:
    model = load(lcm, "cpu")
    frames = clip(3), clip(3, seed=9)
    alone = [started(model, prompt).step(f) for prompt, f in zip(("fox", "owl"), frames, strict=True)]
    late = started(model, "fox"), started(model, "owl")
    late[0].step(frames[0][:1])  # joined a frame earlier
    together = [dict(step_many(late, [frames[0][n + 1], frames[1][n]])) for n in range(2)]
    for n in range(2):
        assert np.abs(together[n][0].astype(int) - alone[0][n + 1]).max() <= 1
        assert np.abs(together[n][1].astype(int) - alone[1][n]).max() <= 1


def test_negative_prompts_go_through_the_steps_beside_other_sessions(lcm: Path) -> None:
    model, frames = load(lcm, "cpu"), clip(2)
    prompts = "fox --no blur", "owl"
    alone = [started(model, prompt).step(frames) for prompt in prompts]
    streams = [started(model, prompt) for prompt in prompts]
    for n in range(2):
        for place, shown in model.step_many(streams, [frames[n]] * 2):
            assert np.abs(shown.astype(int) - alone[place][n]).max() <= 1


def test_out_of_memory_is_recovered_at_half_the_sides(turbo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = load(turbo, "cpu")
    predict, sizes = model.predict, []

    def short(asked):  # type: ignore[no-untyped-def]
        sizes.append(tuple(asked[0].latents.shape[2:]))
        if sizes[-1] == (8, 12):
            raise torch.OutOfMemoryError("emulated")
        return predict(asked)

    monkeypatch.setattr(model, "predict", short)
    assert started(model).step(clip(2)).shape == (2, 64, 96, 3)
    assert model.smaller.by == 2 and sizes == [(8, 12), (4, 6), (4, 6)]


def test_a_fault_belongs_to_who_was_in_the_call(turbo: Path) -> None:
    model = load(turbo, "cpu")
    idle = model.stream()
    shown = dict(step_many([started(model), idle], [clip(1)[0]] * 2))
    assert isinstance(shown[1], RuntimeError) and isinstance(shown[0], np.ndarray)


def test_who_was_not_in_the_step_that_ran_out_goes_on_smaller_too_and_it_is_said(
    lcm: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = load(lcm, "cpu")
    one, other = started(model), started(model, "an owl")
    one.step(clip(2))
    other.step(clip(2))
    assert model.limited == "" and model.counts() == {"memory_shortages": 0}
    predict = model.predict

    def short(asked):  # type: ignore[no-untyped-def]
        if max(asked[0].latents.shape[2:]) > 3:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 99 bytes")
        return predict(asked)

    monkeypatch.setattr(model, "predict", short)
    assert one.step(clip(1)).shape == (1, 64, 96, 3)
    assert model.smaller.by == 4 and other.step(clip(1)).shape == (1, 64, 96, 3)
    assert model.limited == "at 1/4 of its sides: memory ran out" and model.counts() == {"memory_shortages": 2}
    monkeypatch.setattr(model, "predict", lambda asked: short_always())
    with pytest.raises(RuntimeError, match="a quarter of the picture's sides"):
        one.step(clip(1))


def short_always() -> None:
    raise torch.OutOfMemoryError("emulated")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
@pytest.mark.filterwarnings("default")  # of torch's own compiler
def test_a_gpu_paints_what_a_cpu_paints_and_recovers_from_too_little_memory(lcm: Path) -> None:
    frames, shown = clip(5), {}
    for device in ("cpu", "cuda"):
        model = load(lcm, device)
        shown[device] = started(model).step(frames).astype(int)
    assert np.abs(shown["cpu"] - shown["cuda"]).mean() < 8  # bfloat16, random weights
    torch.cuda.set_per_process_memory_fraction(torch.cuda.memory_reserved() / torch.cuda.mem_get_info()[1])
    try:
        assert started(model).step(np.zeros((1, 704, 1280, 3), np.uint8)).shape == (1, 704, 1280, 3)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)

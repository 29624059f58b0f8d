"""Loading an image pipeline, its prompts and its LLM."""

from pathlib import Path

import numpy as np
import pytest
import torch

from reverie.models.diffusion import catalogue, memory
from reverie.models.diffusion.network import ImageModel, load
from reverie.server.settings import from_environment


def test_prompts_are_read_once(turbo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model, asked = load(turbo, "cpu"), []
    encode = model.pipeline.encode_prompt
    monkeypatch.setattr(model.pipeline, "encode_prompt", lambda *a, **k: asked.append(a) or encode(*a, **k))
    model.prepare("A fox. ")
    model.prepare("")
    assert model.words("a fox") is model.words("A FOX")
    assert len(asked) == 1


def test_eight_bits_are_asked_for_by_name_and_too_little_memory_is_refused(
    turbo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ValueError, match="fp8 needs a GPU"):
        load(turbo, "cpu", bits="fp8")
    asked: list[str] = []
    monkeypatch.setattr("reverie.models.diffusion.precision.apply", lambda net, bits, device: asked.append(bits))
    load(turbo, "cpu", bits="int8")
    assert asked == ["int8"]
    monkeypatch.setattr("reverie.models.diffusion.memory.free", lambda device: 100_000_000)
    with pytest.raises(ValueError, match=r"tiny-turbo needs .* and 0\.1 GB are free; nano needs no GPU"):
        load(turbo, "cpu")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_device_that_is_not_there_is_refused(turbo: Path) -> None:
    with pytest.raises(ValueError, match="no CUDA device"):
        load(turbo, "cuda")
    with pytest.raises(ValueError, match="neuron"):
        load(turbo, "neuron")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
@pytest.mark.filterwarnings("default")  # of torch's own compiler
@pytest.mark.parametrize("name", [known.name for known in catalogue.KNOWN])
def test_a_real_model_follows_a_prompt_at_once_within_the_memory_that_was_planned(name: str) -> None:
    folder = catalogue.place(from_environment().models_folder, name)
    if not folder.is_dir():
        pytest.skip(f"{name} is not here: reverie models pull {name}")
    before = memory.free("cuda")
    model = load(folder, "cuda")
    stream = model.stream()
    frames = np.random.default_rng(0).integers(0, 256, (1, 512, 512, 3), np.uint8)
    shown = {}
    for prompt in ("a marble statue", "a rainy street in Tokyo"):
        stream.start(prompt, seed=1)
        shown[prompt] = stream.step(frames)
    assert not np.array_equal(*shown.values()) and all(each.std() > 1 for each in shown.values())
    if isinstance(model, ImageModel):
        planned = memory.need(folder, 2).total
        assert before is not None and before - (memory.free("cuda") or 0) < planned

"""Loading an image pipeline, its prompts and its LLM."""

from pathlib import Path

import pytest
import torch

from reverie.models.diffusion.network import load


def test_prompts_are_read_once(turbo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model, asked = load(turbo, "cpu"), []
    encode = model.pipeline.encode_prompt
    monkeypatch.setattr(model.pipeline, "encode_prompt", lambda *a, **k: asked.append(a) or encode(*a, **k))
    model.prepare("A fox. ")
    model.prepare("")
    assert model.words("a fox") is model.words("A FOX")
    assert len(asked) == 1


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_device_that_is_not_there_is_refused(turbo: Path) -> None:
    with pytest.raises(ValueError, match="no CUDA device"):
        load(turbo, "cuda")
    with pytest.raises(ValueError, match="neuron"):
        load(turbo, "neuron")

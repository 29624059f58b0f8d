"""The modules of video pipelines."""

from pathlib import Path

import numpy as np
import pytest
import torch

from reverie.models.diffusion.network import load


def test_prompts_are_words_alone_and_read_once(wan: Path) -> None:
    model = load(wan, "cpu")
    assert model.words("A fox.") is model.words("a fox")
    theirs = model._pipeline.encode_prompt("fox", do_classifier_free_guidance=False, max_sequence_length=512)[0]
    assert torch.equal(model.words("fox"), theirs) and theirs.shape == (1, 512, 32)
    with pytest.raises(ValueError, match="no LoRA 'ink'"):
        model.prepare("fox <lora:ink:1>")
    with pytest.raises(ValueError, match="no reference pictures"):
        model.picture(np.zeros((32, 32, 3), np.uint8))


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

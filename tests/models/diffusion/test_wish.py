"""Looks as a network is asked for them."""

from pathlib import Path

import pytest
import torch

from reverie.models.diffusion.network import load
from reverie.models.diffusion.words import slerp


def test_blends_lie_between_prompts(turbo: Path) -> None:
    model = load(turbo, "cpu")
    fox, owl = model.words("fox").tokens, model.words("owl").tokens
    assert torch.equal(model.wish((("fox", 0.25), ("owl", 0.75))).words.tokens, slerp(fox, owl, 0.75))
    three = model.wish((("fox", 0.5), ("owl", 0.25), ("cat", 0.25))).words.tokens
    assert torch.allclose(three, 0.5 * fox + 0.25 * owl + 0.25 * model.words("cat").tokens)


def test_negative_prompts_and_scales_are_mixed_by_shares(full: Path) -> None:
    model = load(full, "cpu")
    wish = model.wish((("fox <lora:ink:1> --no blur --guidance 2", 0.5), ("owl <control:edges:1>", 0.5)))
    assert wish.negative is not None and wish.rows == 1 and wish.guidance == 1.5
    assert torch.equal(wish.negative.tokens, slerp(model.words("blur").tokens, model.words("").tokens, 0.5))
    assert wish.loras == (("ink", 0.5),) and wish.controls == (("edges", 0.5),)
    assert model.wish((("fox", 1.0),)).rows == 0


def test_what_is_not_there_is_one_sentence(turbo: Path) -> None:
    model = load(turbo, "cpu")
    for prompt, sentence in (("<lora:ink>", "no LoRA 'ink'"), ("<control:edges>", "no control 'edges'")):
        with pytest.raises(ValueError, match=sentence):
            model.wish(((f"fox {prompt}", 1.0),))

"""Models that are told their look by words and LoRAs."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor, nn

from reverie.models.diffusion.told import PROMPTS_KEPT, Told


class Counting(Told):
    def __init__(self) -> None:
        parts = {name: nn.Linear(1, 1) for name in ("transformer", "vae", "text_encoder")}
        super().__init__(SimpleNamespace(**parts), Path("counting"), None)
        self.read: list[str] = []

    def _read(self, prompt: str) -> Tensor:
        self.read.append(prompt)
        return torch.full((1, 2, 3), float(len(prompt)))


def test_words_are_read_once_and_of_the_last_prompts_kept() -> None:
    model = Counting()
    model.prepare("  A   Fox ")
    assert torch.equal(model.words("a fox"), model.wish((("A fox", 1.0),))[0])
    assert len(model.read) == 1
    for n in range(PROMPTS_KEPT):
        model.prepare(f"prompt {n}")
    model.prepare("a fox")
    assert model.read.count(model.read[0]) == 2


@pytest.mark.parametrize(
    ("asked", "named"),
    [("a fox <control:edges:1>", "no <control:"), ("a fox --no blur", "no negative prompts .* and no --guidance"),
     ("a fox --guidance 2", "no --guidance"), ("a fox --steady 0.3", "no --steady")],
)  # fmt: skip
def test_more_than_words_is_refused_by_name(asked: str, named: str) -> None:
    with pytest.raises(ValueError, match=rf"counting takes {named}"):
        Counting().prepare(asked)


def test_other_loras_are_other_words_without_reading_them_again() -> None:
    model = Counting()
    plain, other = model.words("a fox"), model.words("a fox", (("ink", 1.0),))
    assert plain is not other and torch.equal(plain, other) and model.words("a fox", (("ink", 1.0),)) is other
    assert len(model.read) == 1
    with pytest.raises(ValueError, match="there is no LoRA 'ink'"):
        model.prepare("a fox <lora:ink:1>")

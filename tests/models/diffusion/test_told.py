"""Models that are told their look by words alone."""

from types import SimpleNamespace

import pytest
import torch
from torch import Tensor, nn

from reverie.models.diffusion.told import PROMPTS_KEPT, Told


class Counting(Told):
    def __init__(self) -> None:
        parts = {name: nn.Linear(1, 1) for name in ("transformer", "vae", "text_encoder")}
        super().__init__(SimpleNamespace(**parts), "counting", None)
        self.read: list[str] = []

    def _read(self, prompt: str) -> Tensor:
        self.read.append(prompt)
        return torch.full((1, 2, 3), float(len(prompt)))


def test_words_are_read_once_and_of_the_last_prompts_kept() -> None:
    model = Counting()
    model.prepare("  A   Fox ")
    assert torch.equal(model.words("a fox"), model.mixed((("A fox", 1.0),)))
    assert len(model.read) == 1
    for n in range(PROMPTS_KEPT):
        model.prepare(f"prompt {n}")
    model.prepare("a fox")
    assert model.read.count(model.read[0]) == 2


@pytest.mark.parametrize("asked", ["a fox <lora:x:1>", "a fox <control:edges:1>", "a fox --no blur"])
def test_more_than_words_is_refused_by_name(asked: str) -> None:
    with pytest.raises(ValueError, match="counting takes words alone"):
        Counting().prepare(asked)

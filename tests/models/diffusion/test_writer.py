"""Richer prompts."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from reverie.models.diffusion.writer import Writer


class Llm:
    asked = 0

    def enhance(self, prompt: str) -> Iterator[str]:
        self.asked += 1
        yield from (prompt, ", in rain")


def test_a_richer_prompt_is_written_once_and_keeps_what_was_asked_besides() -> None:
    writer, llm = Writer(), Llm()
    writer.llm = llm  # type: ignore[assignment]
    assert ["".join(writer.enhance("fox")) for _ in range(2)] == ["fox, in rain"] * 2
    assert llm.asked == 1
    rich = "fox, in rain <lora:ink:0.5> --no blur"
    assert ["".join(writer.enhance("Fox <lora:ink:0.5> --no blur")) for _ in range(2)] == [rich] * 2


def test_what_says_enough_or_nothing_is_left_alone() -> None:
    writer, llm = Writer(), Llm()
    writer.llm = llm  # type: ignore[assignment]
    for prompt in ("a fox in rain, " * 20, "<lora:ink:0.5>"):
        assert list(writer.enhance(prompt)) == []
    assert llm.asked == 0


def test_an_llm_that_was_asked_for_and_is_not_there_is_said_at_once(tmp_path: Path) -> None:
    with pytest.raises((ValueError, FileNotFoundError), match="nothing"):
        Writer(str(tmp_path / "nothing.gguf"))

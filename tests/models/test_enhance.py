"""What the LLM may make of a prompt."""

from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from reverie.models.enhance import MAX_CHARACTERS, rewrite


def saying(pieces: list[str]):  # type: ignore[no-untyped-def]
    def generate(text: str, max_tokens: int) -> Iterator[str]:
        return iter(pieces)

    return generate


@given(prompt=st.text(max_size=400).filter(str.strip), pieces=st.lists(st.text(max_size=40), max_size=30))
def test_whatever_the_llm_says_the_raw_prompt_stays_first_on_one_line(prompt: str, pieces: list[str]) -> None:
    text = "".join(rewrite(prompt, saying(pieces)))
    assert text.startswith(" ".join(prompt.split())[: MAX_CHARACTERS // 2])
    assert "\n" not in text
    assert 0 < len(text) <= MAX_CHARACTERS


def test_only_the_first_line_counts() -> None:
    assert "".join(rewrite("neon", saying([" ", "glowing", " lines\nStyle: other", " more"]))) == "neon, glowing lines"


def test_silence_leaves_the_prompt_alone() -> None:
    assert "".join(rewrite("neon", saying(["\n"]))) == "neon"

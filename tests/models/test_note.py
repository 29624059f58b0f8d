"""The LLM's sentence about a scene: one line, made from the measured words."""

from collections.abc import Iterator

from reverie.models.note import EXAMPLES, MAX_TOKENS, narrate


def test_the_sentence_is_the_first_line_after_the_words() -> None:
    asked: list[tuple[str, int]] = []

    def generate(text: str, most: int) -> Iterator[str]:
        asked.append((text, most))
        yield from (" A", " quiet", " room.\n\nSeen: more", "\n")

    assert "".join(narrate(["indoors", "dim light"], generate)).strip() == "A quiet room."
    assert asked[0][0].endswith("Seen: indoors, dim light\nNote:") and asked[0][1] == MAX_TOKENS
    assert all(note in asked[0][0] for _, note in EXAMPLES)

"""Measured words of a scene as one sentence of the LLM."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from reverie.models.enhance import one_line

MAX_TOKENS = 24
EXAMPLES = (
    ("a person facing the camera, indoors, dim warm light", "A person looks into the camera in dim, warm light."),
    ("outdoors, even light", "An open place in even daylight."),
    ("indoors, even light", "A room in even light."),
    ("a person further away, outdoors, bright light", "Somebody is outside, far from the camera, in bright light."),
    ("bright warm light", "A bright and warm picture."),
    ("outdoors, dim cold light", "A dim and cold place outside."),
)


def narrate(words: Sequence[str], generate: Callable[[str, int], Iterator[str]]) -> Iterator[str]:
    """Yields pieces of one sentence.

    Args:
        words: of `facts.words`.
        generate: continues a text, in pieces, for at most so many tokens.
    """
    shown = "".join(f"Seen: {seen}\nNote: {note}\n\n" for seen, note in EXAMPLES)
    yield from one_line(generate(f"{shown}Seen: {', '.join(words)}\nNote:", MAX_TOKENS))

"""A short prompt made richer by the LLM, held to what was asked.

A model of 135 M parameters rambles: it is shown examples, told to stop at the line end, and the raw prompt always
comes first, so the look that was asked for stays the look.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

MAX_TOKENS = 36
MAX_CHARACTERS = 300
EXAMPLES = (
    ("pencil sketch", "fine graphite lines on white paper, soft hatching, light grey shadows"),
    ("neon", "glowing outlines on black, electric pink and cyan light, deep dark background"),
    ("old oil painting", "thick brush strokes on canvas, rich warm colours, soft candle light"),
)


def rewrite(prompt: str, generate: Callable[[str, int], Iterator[str]]) -> Iterator[str]:
    """Yields the raw prompt (one line, cut to fit), then details as they are written.

    Args: generate: continues a text, in pieces, for at most so many tokens.
    """
    raw = " ".join(prompt.split())[: MAX_CHARACTERS // 2]
    yield raw
    shown = "".join(f"Style: {short}\nDetails: {rich}\n\n" for short, rich in EXAMPLES)
    told, begun = len(raw), False
    for piece in one_line(generate(f"{shown}Style: {raw}\nDetails:", MAX_TOKENS)):
        text = piece if begun or not piece else f", {piece.lstrip()}"
        begun = begun or bool(piece)
        told += len(text)
        if told > MAX_CHARACTERS:
            return
        yield text


def one_line(pieces: Iterator[str]) -> Iterator[str]:
    """Up to the first line end; blank pieces before the first word become "", at which others may have their turn."""
    begun = False
    for piece in pieces:
        head, newline, _ = piece.partition("\n")
        begun = begun or bool(head.strip())
        yield head if begun else ""
        if newline:
            return

"""Richer prompts by an LLM, written once, off the frame's path."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator
from typing import TYPE_CHECKING

from reverie.models.diffusion import ask
from reverie.models.enhance import MAX_CHARACTERS
from reverie.models.prompt import normal

if TYPE_CHECKING:
    from reverie.models.llm_any import Writing

KEPT = 256  # prompts


class Writer:
    """An LLM: one that was asked for is loaded at once, the packaged one when it is first needed."""

    def __init__(self, source: str | None = None) -> None:
        """Args: source: None is the packaged SmolLM2; see reverie.models.llm_any.load.  Raises: as that."""
        self.llm: Writing | None = None
        self._loading = threading.Lock()
        self._richer: OrderedDict[str, str] = OrderedDict()
        if source is not None:
            from reverie.models.llm_any import load

            self.llm = load(source)

    def enhance(self, prompt: str) -> Iterator[str]:
        """As it writes, the first time; kept then.  What the prompt asks besides its words stays.

        A prompt that is rich already is left alone: the LLM would be shown its beginning, and the rest be lost.
        """
        key, words = normal(prompt), ask.read(prompt).words
        if not words or len(words) > MAX_CHARACTERS // 2:
            return
        if key in self._richer:
            yield self._richer[key]
            return
        with self._loading:
            if self.llm is None:
                from reverie.models.llm_any import load

                self.llm = load()
        rich = ""
        for piece in self.llm.enhance(words):
            rich += piece
            yield piece
        self._richer[key] = ask.richer(prompt, rich)
        if rest := self._richer[key][len(rich.strip()) :]:
            yield rest
        if len(self._richer) > KEPT:
            self._richer.popitem(last=False)

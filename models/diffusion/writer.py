"""Richer prompts by an LLM, written once, off the frame's path."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator
from typing import TYPE_CHECKING

from reverie.models.diffusion import ask
from reverie.models.prompt import normal

if TYPE_CHECKING:
    from reverie.models.llm_any import Writing

KEPT = 256  # prompts


class Writer:
    """An LLM that is loaded when it is first asked."""

    def __init__(self, source: str | None = None) -> None:
        """Args: source: None is the packaged SmolLM2; see reverie.models.llm_any.load."""
        self._source = source
        self.llm: Writing | None = None
        self._loading = threading.Lock()
        self._richer: OrderedDict[str, str] = OrderedDict()

    def enhance(self, prompt: str) -> Iterator[str]:
        """As it writes, the first time; kept then.  What the prompt asks besides its words stays."""
        key = normal(prompt)
        if key in self._richer:
            yield self._richer[key]
            return
        with self._loading:
            if self.llm is None:
                from reverie.models.llm_any import load

                self.llm = load(self._source)
        rich = ""
        for piece in self.llm.enhance(ask.read(prompt).words):
            rich += piece
            yield piece
        self._richer[key] = ask.richer(prompt, rich)
        if rest := self._richer[key][len(rich.strip()) :]:
            yield rest
        if len(self._richer) > KEPT:
            self._richer.popitem(last=False)

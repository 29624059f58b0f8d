"""Prompts of one session, read by the LLM away from the event loop; only the newest counts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Executor

from reverie.client.protocol import Part
from reverie.models.blend import Blend, blend
from reverie.models.stream import Model
from reverie.server.errors import BadPrompt, PromptDenied
from reverie.server.metrics import Metrics


class PromptReader:
    """Reads what a client asks for; the answer to an older wish is None once a newer one is there."""

    def __init__(self, model: Model, metrics: Metrics, words: Executor, denied: Callable[[str], bool]) -> None:
        """
        Args:
            words: where prompts are read.
            denied: whether one is not allowed.
        """
        self._model, self._metrics, self._words, self._denied = model, metrics, words, denied
        self.wishes = 0  # counts what was asked for

    async def read(self, prompt: str, parts: Sequence[Part] = ()) -> Blend | None:
        """What the model takes for a prompt, or for the parts of a blend.  Raises: PromptDenied, BadPrompt."""
        if any(map(self._denied, (prompt, *(part.prompt for part in parts)))):
            self._metrics.denied.inc()
            raise PromptDenied
        self.wishes += 1
        wish = self.wishes
        look = blend([(part.prompt, part.weight) for part in parts] or prompt)
        for each, _ in look:
            try:
                await self._prepare(each)
            except ValueError as error:
                raise BadPrompt(f"{error}; the look stays as it was") from None
        return look if wish == self.wishes else None

    async def enhance(self, prompt: str, wish: int) -> str | None:
        """A longer prompt for a wish; None if the LLM adds nothing, or nothing allowed, or a newer wish is there."""
        pieces, rich = self._model.enhance(prompt), ""
        loop = asyncio.get_running_loop()
        while (piece := await loop.run_in_executor(self._words, next, pieces, None)) is not None:
            if wish != self.wishes:
                return None
            self._metrics.llm_tokens.inc(bool(piece))
            rich += piece
        if not rich.strip() or self._denied(rich):
            return None
        await self._prepare(rich)
        return rich if wish == self.wishes else None

    async def _prepare(self, prompt: str) -> None:
        await asyncio.get_running_loop().run_in_executor(self._words, self._model.prepare, prompt)

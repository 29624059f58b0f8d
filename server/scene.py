"""What a session's camera shows, said anew while it is live: measured words, and a sentence of the LLM now and then."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import Executor

import av
from numpy.typing import NDArray

from reverie.models import facts, scene
from reverie.models.facts import Facts
from reverie.models.stream import Model, Narrator
from reverie.server.metrics import Metrics
from reverie.server.pictures import Picture, to_rgb

EVERY_S = 1.5  # between two notes
SENTENCE_EVERY_S = 10.0  # at most one sentence of the LLM in so long, and only of another scene
SELDOM_S = 60.0  # so long where the device does not keep up with the pictures: a sentence halves their rate for 2 s


class Scene:
    """The note of one session.  Lives on the event loop; measuring and writing go to the executor."""

    def __init__(
        self, model: Model, words: Executor, metrics: Metrics, busy: Callable[[], bool] = lambda: False
    ) -> None:
        """Args: busy: whether the device has no time to spare."""
        self.facts: Facts | None = None  # None before the first picture
        self.sentence = ""  # of the LLM
        self.notes = 0  # made so far
        self._model, self._words, self._metrics, self._busy = model, words, metrics, busy
        self._frame: av.VideoFrame | None = None
        self._earlier: Picture | None = None
        self._told: list[str] = []
        self._told_at = 0.0

    @property
    def note(self) -> str:
        """Measured words, or "" before the first picture."""
        return "" if self.facts is None else facts.sentence(self.facts)

    def camera(self, frame: av.VideoFrame) -> None:
        self._frame = frame

    def fitted(self, prompt: str) -> str:
        """The prompt with what the scene asks for."""
        return prompt if self.facts is None else scene.fitted(prompt, self.facts)

    async def run(self, tokens: Callable[[], NDArray | None]) -> None:  # type: ignore[type-arg]
        """Until it is cancelled.  Args: tokens: the encoder's last scene tokens, if there are any."""
        while True:
            await self.look(tokens())
            await asyncio.sleep(EVERY_S)

    async def look(self, tokens: NDArray | None) -> None:  # type: ignore[type-arg]
        """Make a note of the newest picture."""
        frame, self._frame = self._frame, None
        if frame is None:
            return
        loop = asyncio.get_running_loop()
        found, self._earlier = await loop.run_in_executor(self._words, self._measure, frame, tokens)
        self.facts = found
        self.notes += 1
        seen = facts.words(found)[:-2]  # without colours and motion, which change all the time
        if isinstance(self._model, Narrator) and seen != self._told and self._due():
            self._told, self._told_at = seen, time.monotonic()
            await self._write(self._model, seen)

    def _due(self) -> bool:
        after_s = SELDOM_S if self._busy() else SENTENCE_EVERY_S
        return not self._told or time.monotonic() - self._told_at >= after_s

    def _measure(self, frame: av.VideoFrame, tokens: NDArray | None) -> tuple[Facts, Picture]:  # type: ignore[type-arg]
        picture = to_rgb(frame)
        earlier = self._earlier if self._earlier is not None and self._earlier.shape == picture.shape else None
        seen = None if tokens is None else scene.load()(tokens)
        return facts.measure(picture, earlier, seen), picture

    async def _write(self, model: Narrator, seen: list[str]) -> None:
        pieces, written = model.narrate(seen), ""
        loop = asyncio.get_running_loop()
        while (piece := await loop.run_in_executor(self._words, next, pieces, None)) is not None:
            self._metrics.llm_tokens.inc(bool(piece))
            written += piece
        self.sentence = written.strip()

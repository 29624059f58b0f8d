"""The effects of one session at one place: they run on a thread of their own, and the newest frame wins."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import av

from reverie.server.effects import About, Effect, through
from reverie.server.mailbox import Latest
from reverie.server.metrics import Metrics


class Chain:
    """Lives on the event loop; without effects a frame goes straight on."""

    def __init__(self, effects: list[Effect], metrics: Metrics, done: Callable[..., None]) -> None:
        """Args: done: called with each frame that has gone through, and with what was put beside it."""
        self._effects, self._metrics, self._done = effects, metrics, done
        self._newest: Latest[tuple[av.VideoFrame, About, av.VideoFrame | None, tuple[Any, ...]]] = Latest()
        self._thread = ThreadPoolExecutor(1, "effects") if effects else None
        self._task = asyncio.get_running_loop().create_task(self._run()) if effects else None

    def put(self, frame: av.VideoFrame, about: About, camera: av.VideoFrame | None, *beside: Any) -> None:
        if self._task is None:
            return self._done(frame, *beside)
        before = self._newest.dropped
        self._newest.put((frame, about, camera, beside))
        self._metrics.dropped.labels("effect").inc(self._newest.dropped - before)

    def close(self) -> None:
        if self._task is None or self._thread is None:
            return
        self._task.cancel()
        for effect in self._effects:
            self._thread.submit(effect.close)
        self._thread.shutdown(wait=False)

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            frame, about, camera, beside = await self._newest.get()
            shown = await loop.run_in_executor(self._thread, through, self._effects, frame, about, camera)
            self._done(shown, *beside)

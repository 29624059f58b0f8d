"""The same sessions without `await`, for notebooks and scripts: a thread runs the event loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from reverie.client.opening import connect as connect_async
from reverie.client.received import Frame, Stats
from reverie.client.sources import Source

if TYPE_CHECKING:
    from reverie.client.session import Session

T = TypeVar("T")


class SyncSession:
    """As `reverie.client.Session`; made by `connect`."""

    def __init__(self, session: Session, loop: asyncio.AbstractEventLoop) -> None:
        self._session, self._loop = session, loop

    def __iter__(self) -> Iterator[Frame]:
        return self

    def __next__(self) -> Frame:
        frame = self._wait(self._session._newest.get())
        if frame is None:
            raise StopIteration
        return frame

    def set_prompt(
        self, prompt: str, *, blend: Mapping[str, float] | None = None, transition_s: float = 0.0,
        enhance: bool = False, mask: str | None = None,
    ) -> None:  # fmt: skip
        look = self._session.set_prompt(prompt, blend=blend, transition_s=transition_s, enhance=enhance, mask=mask)
        self._wait(look)

    def set(self, *, strength: float | None = None, seed: int | None = None, mask: str | None = None) -> None:
        self._wait(self._session.set(strength=strength, seed=seed, mask=mask))

    def record(self, on: bool = True, *, compare: bool = False) -> str:
        return self._wait(self._session.record(on, compare=compare))

    def stats(self) -> Stats:
        return self._session.stats()

    def _wait(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()


@contextmanager
def connect(url: str, source: Source | Any, prompt: str = "", **options: Any) -> Iterator[SyncSession]:
    """`reverie.client.connect` with the same arguments, for a `with` block."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="reverie", daemon=True)
    thread.start()
    run = lambda work: asyncio.run_coroutine_threadsafe(work, loop).result()
    opened = connect_async(url, source, prompt, **options)
    try:
        session = run(_enter(opened))
        try:
            yield SyncSession(session, loop)
        finally:
            run(_leave(opened))
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _enter(opened: Any) -> Session:
    session: Session = await opened.__aenter__()
    return session


async def _leave(opened: Any) -> None:
    await opened.__aexit__(None, None, None)

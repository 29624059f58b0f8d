"""Where real time is decided: one place for one frame."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Generic, TypeVar

T = TypeVar("T")


class Latest(Generic[T]):
    """Holds at most one item, for one consumer; a newer item replaces it.

    Live video prefers losing a frame to showing it late, so `put` never waits and `dropped` says how often the consumer
    was too slow.
    """

    def __init__(self) -> None:
        self._items: deque[T] = deque(maxlen=1)
        self._ready = asyncio.Event()
        self.dropped = 0

    def put(self, item: T) -> None:
        self.dropped += len(self._items)
        self._items.append(item)
        self._ready.set()

    async def get(self) -> T:
        await self._ready.wait()
        self._ready.clear()
        return self._items.pop()

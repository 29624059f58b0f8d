"""Clients that wait for a place, first come first served; each is told where it stands."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

from reverie.client.protocol import QueuePosition

T = TypeVar("T")


class Line:
    """Lives on the event loop."""

    def __init__(self, limit: int) -> None:
        """Args: limit: how many may wait; more are refused."""
        self._limit = limit
        self._waiting: list[object] = []
        self._moved = asyncio.Event()

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def full(self) -> bool:
        return len(self._waiting) >= self._limit

    async def wait(self, take: Callable[[], T | None], tell: Callable[[QueuePosition], None]) -> T:
        """What `take` gives, once it is one's turn and it gives something; `tell` hears of each new position."""
        me, told = object(), QueuePosition(0, 0)
        self._waiting.append(me)
        self.move()  # the others are told of a longer line
        try:
            while self._waiting[0] is not me or (taken := take()) is None:
                now = QueuePosition(self._waiting.index(me) + 1, len(self._waiting))
                if now != told:
                    tell(now)
                    told = now
                await self._moved.wait()
            return taken
        finally:
            self._waiting.remove(me)
            self.move()

    def move(self) -> None:
        """A place is free, or the line has changed."""
        self._moved.set()
        self._moved = asyncio.Event()

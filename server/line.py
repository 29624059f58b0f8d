"""Clients of one node that wait for a place; each is told where it stands.  `fair.py` says whose turn it is."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

from reverie.client.protocol import QueuePosition
from reverie.server import fair
from reverie.server.fair import Load, Ticket

T = TypeVar("T")
LOOK_S = 1.0  # between looks without news: what was used of late is forgotten meanwhile
LASTED = 64  # visits whose length is known


class Use:
    """Places by tenant: now, and averaged over the last minutes."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._known: dict[str, tuple[float, float]] = {}  # average, and when that was
        self._used: dict[str, int] = {}
        self._lasted: deque[float] = deque(maxlen=LASTED)

    def began(self, tenant: str) -> float:
        """Returns what `ended` wants to know."""
        self._change(tenant, 1)
        return self._now()

    def ended(self, tenant: str, began: float) -> None:
        self._change(tenant, -1)
        self._lasted.append(self._now() - began)

    def load(self, slots: int, ranks: Mapping[int, int]) -> Load:
        """Args: ranks: places in use by rank."""
        averages = {tenant: self._average(tenant) for tenant in self._known}
        for tenant in [each for each, value in averages.items() if value < 0.05 and not self._used[each]]:
            del self._known[tenant], self._used[tenant], averages[tenant]
        return Load(slots, dict(self._used), averages, tuple(self._lasted), ranks)

    def _average(self, tenant: str) -> float:
        value, at = self._known.get(tenant, (0.0, self._now()))
        return fair.averaged(value, self._used.get(tenant, 0), self._now() - at)

    def _change(self, tenant: str, by: int) -> None:
        self._known[tenant] = self._average(tenant), self._now()
        self._used[tenant] = self._used.get(tenant, 0) + by


class Line:
    """Lives on the event loop."""

    def __init__(self, limit: int, load: Callable[[], Load]) -> None:
        """Args: limit: how many may wait; more are refused."""
        self._limit, self._load = limit, load
        self._waiting: dict[str, Ticket] = {}
        self._moved = asyncio.Event()

    def __len__(self) -> int:
        return len(self._waiting)

    def of(self, tenant: str) -> int:
        """How many of a tenant wait."""
        return fair.line_of(tenant, self._waiting.values())

    @property
    def full(self) -> bool:
        return len(self._waiting) >= self._limit

    def turn(self, ticket: Ticket) -> bool:
        """Whether one that does not wait may take a place before all who do."""
        return ticket in fair.admitted([*self._waiting.values(), ticket], self._load())

    async def wait(self, ticket: Ticket, take: Callable[[], T | None], tell: Callable[[QueuePosition], None]) -> T:
        """What `take` gives, once it is one's turn and it gives something; `tell` hears of each new position."""
        told: QueuePosition | None = None
        self._waiting[ticket.id] = ticket
        self.move()  # the others are told of a longer line
        try:
            while not (ticket in fair.admitted(self._waiting.values(), self._load()) and (taken := take()) is not None):
                now = position(ticket, self._waiting.values(), self._load())
                if told is None or (now.position, now.queue_size) != (told.position, told.queue_size):
                    tell(now)
                    told = now
                await self.moved(LOOK_S)
            return taken
        finally:
            del self._waiting[ticket.id]
            self.move()

    async def moved(self, timeout_s: float) -> None:
        """Wait for news."""
        moved = asyncio.create_task(self._moved.wait())
        try:
            await asyncio.wait((moved,), timeout=timeout_s)
        finally:
            moved.cancel()

    def move(self) -> None:
        """A place is free, or the line has changed."""
        self._moved.set()
        self._moved = asyncio.Event()


def position(ticket: Ticket, waiting: Iterable[Ticket], load: Load) -> QueuePosition:
    """What one that waits is told."""
    line: Sequence[Ticket] = fair.order(waiting, load)
    place = line.index(ticket) + 1
    own = sum(each.tenant == ticket.tenant for each in line[:place])
    wait_s = fair.wait_s(place, load, ticket.tenant, own)
    return QueuePosition(place, len(line), None if wait_s is None else round(wait_s, 1))

"""This node's place among others: it says that it lives, and asks Redis where a session goes.

With no REVERIE_REDIS_URL the node is a fleet of one, with a Redis of its own or, where its package is missing, none.
Without Redis sessions that run go on.  New ones wait for it; a fleet of one needs nobody's leave and does not wait.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from redis.asyncio import Redis
from redis.asyncio.sentinel import Sentinel, SentinelConnectionPool
from redis.exceptions import RedisError

from reverie.client.protocol import QueuePosition
from reverie.server import fair
from reverie.server.embedded import EmbeddedRedis
from reverie.server.errors import AtCapacity, Elsewhere, NotReady, TenantAtCapacity
from reverie.server.fair import Load, Ticket
from reverie.server.keys import BEAT_S, SECONDS_S, Keys
from reverie.server.line import position
from reverie.server.placement import About, Holder, Placement, Wait
from reverie.server.redis_url import sentinels
from reverie.server.settings import Settings

log = logging.getLogger(__name__)
REACH_S = 0.5  # that a node may take to accept a connection
LOOK_S = 0.5  # between looks of those who wait
WAIT_S = 10.0  # that a new session waits for Redis to come back
TRY_S = 0.1


@dataclass(frozen=True, slots=True)
class Ask:
    """How a place is asked for."""

    stay: bool = False  # at this node if it has one: the client cannot follow a redirect
    limit: int = 0  # sessions of the tenant at once, 0 for any number
    tell: Callable[[QueuePosition], None] | None = None  # what to do with news for one that waits; None waits not


class Fleet:
    """Membership of one node.  Lives on the event loop."""

    def __init__(self, settings: Settings, url: str, about: Callable[[], About], ours: Callable[[], dict[str, Holder]]):
        """Args: url: where clients reach this node.  ours: sessions that run here."""
        self.id, self.url = uuid.uuid4().hex[:12], url
        self.lost: Callable[[str], None] = lambda session: None  # another node has taken a session over
        self.beaten: Callable[[], None] = lambda: None
        self.moved: Callable[[], None] = lambda: None  # `urls` are others
        self.urls: list[str] = []  # of all nodes that take sessions
        self.connected = asyncio.Event()
        self.alone = not settings.redis_url
        self._settings, self._about, self._ours = settings, about, ours
        self._embedded = EmbeddedRedis(settings.data_folder / "redis") if self.alone else None
        self.keys = Keys(f"alone:{url}" if self.alone else settings.fleet)
        self.redis: Redis | None = None
        self._placement: Placement | None = None
        self._claimed: dict[str, Holder] = {}
        self.seconds_today: tuple[str, dict[str, float]] = ("", {})  # day, and what tenants used of it
        self._metered = time.monotonic()
        self.waiting = 0  # clients, at this node
        self._holds: dict[str, object] = {}
        self._moved = asyncio.Event()

    async def run(self) -> None:
        """Beat until cancelled; start again what has ended."""
        try:
            while True:
                began = time.monotonic()
                await self._once()
                pause = BEAT_S if self.connected.is_set() else TRY_S if not self.alone else BEAT_S
                await asyncio.sleep(max(0.0, pause - (time.monotonic() - began)))
        finally:
            if self.redis is not None:
                with contextlib.suppress(RedisError, OSError):
                    await close(self.redis)
            if self._embedded is not None:
                self._embedded.stop()

    async def _once(self) -> None:
        try:
            if self._embedded is not None and not self._embedded.start():
                return
            if self.redis is None:
                self.redis = connect(self._settings.redis_url or self._embedded.url)  # type: ignore[union-attr]
                self._placement = Placement(self.redis, self.keys)
            assert self._placement is not None
            lost, urls = await self._placement.beat(self._about(), self._claimed | self._ours())
            await self._meter()
            if urls != self.urls and not self.alone:
                self.urls = urls
                self.moved()
            self.beaten()
            for session in lost:
                log.warning("session %s goes on at another node", session)
                self._claimed.pop(session, None)
                self.lost(session)
        except (RedisError, OSError) as error:
            if self.connected.is_set():
                log.warning("Redis cannot be reached; sessions go on: %s", type(error).__name__)
            self.connected.clear()
        else:
            if not self.connected.is_set():
                log.info("Redis is reached")
            self.connected.set()

    async def _meter(self) -> None:
        """Count the seconds of every tenant's sessions.  Raises: redis.RedisError."""
        assert self.redis is not None
        now, day = time.monotonic(), time.strftime("%Y-%m-%d", time.gmtime())
        passed, self._metered = now - self._metered, now
        tenants = Counter(of.tenant for of in self._ours().values())
        async with self.redis.pipeline(transaction=False) as pipe:
            for tenant, sessions in tenants.items():
                pipe.incrbyfloat(self.keys.seconds(tenant, day), sessions * passed)
                pipe.expire(self.keys.seconds(tenant, day), SECONDS_S)
            totals = (await pipe.execute())[::2] if tenants else []
        before = self.seconds_today[1] if self.seconds_today[0] == day else {}
        self.seconds_today = (day, before | dict(zip(tenants, map(float, totals), strict=True)))

    @asynccontextmanager
    async def claim(self, session: str, of: Holder, model: str, ask: Ask) -> AsyncIterator[None]:
        """A place here for a session.  Raises: Elsewhere, AtCapacity, NotReady."""
        rank = await self._take(session, of, model, ask)
        mine = object()  # a client that comes back claims its session's place once more
        if rank is not None:
            self._claimed[session] = of._replace(rank=rank)
        self._holds[session] = mine
        try:
            yield
        finally:
            if self._holds.get(session) is mine:
                del self._holds[session]
                self._claimed.pop(session, None)
            if self._placement is not None and session not in self._holds and session not in self._ours():
                with contextlib.suppress(RedisError, OSError):  # its lease ends by itself
                    await self._placement.release(session, self.id)
            self._moved.set()

    def holder(self, session: str, of: Holder) -> Holder:
        """With the rank of the place that was claimed."""
        return self._claimed.get(session, of)

    async def _take(self, session: str, of: Holder, model: str, ask: Ask) -> int | None:
        until = time.monotonic() + WAIT_S
        while True:
            if self.connected.is_set() and self._placement is not None:
                try:
                    return await self._try(self._placement, session, of, model, ask)
                except (RedisError, OSError):
                    self.connected.clear()
            if self.alone:
                return None
            if ask.tell is None and time.monotonic() > until:
                raise NotReady
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self.connected.wait(), max(0.01, until - time.monotonic()))

    async def _try(self, placement: Placement, session: str, of: Holder, model: str, ask: Ask) -> int:
        """The rank of the place.  Raises: as `claim`; redis.RedisError."""
        claim = partial(
            placement.claim, session, of, model, self.id, stay=ask.stay or self.alone, limit=ask.limit
        )  # fmt: skip
        try:
            if self.alone:
                return await claim(turn=True)
            return await self._reached(placement, partial(claim, **await self._turn(placement, session, of, model)))
        except Wait:
            full = None
            if ask.tell is None:
                tickets, load = await placement.look(model)
                raise _full(load, len(tickets) + 1) from None
        except TenantAtCapacity:
            raise
        except AtCapacity as error:
            full = error
            if ask.tell is None:
                tickets, load = await placement.look(model)
                raise _full(load, len(tickets) + 1) from None
        return await self._wait(placement, session, of, model, ask, claim, full is None)

    async def _turn(self, placement: Placement, session: str, of: Holder, model: str) -> dict[str, Any]:
        """How one that comes now claims: before all who wait if it is its turn; else only what it has already."""
        tickets, load = await placement.look(model)
        mine = Ticket(session, of.tenant, of.tier, max((each.since_s for each in tickets), default=0.0))
        turn = mine in fair.admitted([*tickets, mine], load)
        only_back = not turn and load.free(fair.FURTHEST) > 0  # where nothing is free the claim says why
        waiting = 1 + fair.line_of(of.tenant, tickets)
        return {"turn": turn, "only_back": only_back, "right": fair.right(load, of.tenant), "waiting": waiting}

    async def _reached(self, placement: Placement, claim: Callable[[], Awaitable[int]]) -> int:
        """As `claim`, but nobody is sent to a node that has just died."""
        try:
            return await claim()
        except Elsewhere as other:
            if await _answers(other.url):
                raise
            log.warning("the node at %s cannot be reached", other.url)
            await placement.bury(other.node)
            return await claim()

    async def _wait(
        self, placement: Placement, session: str, of: Holder, model: str, ask: Ask,
        claim: Callable[..., Awaitable[int]], may: bool,
    ) -> int:  # fmt: skip
        """In line with all who wait at any node.  Args: may: whether there may be a place at once."""
        told: QueuePosition | None = None
        self.waiting += 1
        try:
            while True:
                tickets, load = await placement.look(model, session, of)
                mine = next(each for each in tickets if each.id == session)
                if may and mine in fair.admitted(tickets, load):
                    with contextlib.suppress(AtCapacity):
                        right, waiting = fair.right(load, of.tenant), fair.line_of(of.tenant, tickets)
                        return await claim(turn=True, right=right, waiting=waiting)
                now = position(mine, tickets, load)
                if ask.tell is None or now.queue_size > self._settings.queue:
                    raise _full(load, now.position)
                if told is None or (now.position, now.queue_size) != (told.position, told.queue_size):
                    ask.tell(now)
                    told = now
                self._moved.clear()
                with contextlib.suppress(asyncio.TimeoutError):
                    await asyncio.wait_for(self._moved.wait(), LOOK_S)
                may = True
        finally:
            self.waiting -= 1
            with contextlib.suppress(RedisError, OSError):
                await placement.leave(session)

    async def say(self) -> None:
        """Beat now: something has changed."""
        await self._once()


async def _answers(url: str) -> bool:
    """Whether somebody listens there."""
    where = urlsplit(url)
    try:
        port = where.port or (443 if where.scheme == "https" else 80)
        _, writer = await asyncio.wait_for(asyncio.open_connection(where.hostname, port), REACH_S)
    except (OSError, TimeoutError):
        return False
    writer.close()
    return True


def _full(load: Load, place: int) -> AtCapacity:
    wait_s = fair.wait_s(place, load)
    return AtCapacity(load.slots, 10 if wait_s is None else max(1, round(wait_s)), "sessions of this fleet")


def connect(url: str) -> Redis:
    """A client: redis://, rediss:// (TLS), unix://, with user and password; sentinel://host:port,host:port/NAME[/DB].

    Raises: ValueError on another address.
    """
    if (known := sentinels(url)) is not None:
        sentinel = Sentinel(list(known.hosts), socket_timeout=2.0)
        master: Redis = sentinel.master_for(known.name, socket_timeout=2.0, **known.given)
        return master
    client: Redis = Redis.from_url(url, socket_timeout=2.0, socket_connect_timeout=2.0)
    return client


async def close(client: Redis) -> None:
    """With the connections to Sentinels that a client of `connect` has."""
    await client.aclose()
    if isinstance(client.connection_pool, SentinelConnectionPool):
        for each in client.connection_pool.sentinel_manager.sentinels:
            await each.aclose()

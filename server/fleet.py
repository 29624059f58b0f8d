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
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.sentinel import Sentinel
from redis.exceptions import RedisError

from reverie.server.embedded import EmbeddedRedis
from reverie.server.errors import NotReady
from reverie.server.keys import BEAT_S, Keys
from reverie.server.placement import About, Placement
from reverie.server.settings import Settings

log = logging.getLogger(__name__)
WAIT_S = 10.0  # that a new session waits for Redis to come back
TRY_S = 0.1


class Fleet:
    """Membership of one node.  Lives on the event loop."""

    def __init__(self, settings: Settings, url: str, about: Callable[[], About], ours: Callable[[], dict[str, str]]):
        """Args: url: where clients reach this node.  ours: sessions that run here, id -> tenant."""
        self.id, self.url = uuid.uuid4().hex[:12], url
        self.lost: Callable[[str], None] = lambda session: None  # another node has taken a session over
        self.connected = asyncio.Event()
        self.alone = not settings.redis_url
        self._settings, self._about, self._ours = settings, about, ours
        self._embedded = EmbeddedRedis(settings.data_folder / "redis") if self.alone else None
        self.keys = Keys(f"alone:{url}" if self.alone else settings.fleet)
        self.redis: Redis | None = None
        self._placement: Placement | None = None
        self._claimed: dict[str, str] = {}

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
                    await self.redis.aclose()
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
            for session in await self._placement.beat(self._about(), self._claimed | self._ours()):
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

    @asynccontextmanager
    async def claim(self, session: str, tenant: str, model: str, stay: bool) -> AsyncIterator[None]:
        """A place here for a session.  Raises: Elsewhere, AtCapacity, NotReady."""
        if await self._take(session, tenant, model, stay):
            self._claimed[session] = tenant
        try:
            yield
        finally:
            self._claimed.pop(session, None)
            if self._placement is not None and session not in self._ours():  # its client has not come back meanwhile
                with contextlib.suppress(RedisError, OSError):  # its lease ends by itself
                    await self._placement.release(session, self.id)

    async def _take(self, session: str, tenant: str, model: str, stay: bool) -> bool:
        until = time.monotonic() + WAIT_S
        while True:
            if self.connected.is_set() and self._placement is not None:
                try:
                    await self._placement.claim(
                        session, tenant, model, self.id, stay or self.alone, self._settings.tenant_sessions
                    )
                    return True
                except (RedisError, OSError):
                    self.connected.clear()
            if self.alone:
                return False
            if time.monotonic() > until:
                raise NotReady
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self.connected.wait(), max(0.01, until - time.monotonic()))

    async def say(self) -> None:
        """Beat now: something has changed."""
        await self._once()


def connect(url: str) -> Redis:
    """A client: redis://, rediss:// (TLS), unix://, with user and password; sentinel://host:port,host:port/NAME[/DB].

    Raises: ValueError on another address.
    """
    if url.startswith("sentinel://"):
        body = url.removeprefix("sentinel://")
        credentials, _, rest = body.rpartition("@")
        hosts, _, path = rest.partition("/")
        name, _, database = path.partition("/")
        user, _, password = credentials.partition(":")
        pairs = [(host, int(port or 26379)) for host, _, port in (each.partition(":") for each in hosts.split(","))]
        given: dict[str, Any] = {"username": user or None, "password": password or None}
        sentinel = Sentinel(pairs, socket_timeout=2.0)
        master: Redis = sentinel.master_for(name or "mymaster", db=int(database or 0), socket_timeout=2.0, **given)
        return master
    client: Redis = Redis.from_url(url, socket_timeout=2.0, socket_connect_timeout=2.0)
    return client

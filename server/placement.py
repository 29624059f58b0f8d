"""Which node serves a session: atomic scripts in Redis, so that no place is given twice whoever asks when.

`beat` says that a node lives and what it serves; `claim` takes a place; `release` gives it back; `look` shows who
waits.  All may be repeated.  A node that crashes says nothing: its places are free when their leases end.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from redis.asyncio import Redis

from reverie.server import scripts
from reverie.server.errors import AtCapacity, Elsewhere, NotReady, TenantAtCapacity
from reverie.server.fair import Load, Ticket
from reverie.server.keys import LEASE_MS, NODE_MS, WAITER_MS, Keys


class Wait(Exception):
    """Others wait for a place; whoever wants one joins them."""


class Holder(NamedTuple):
    """Whose a session is, and where it stands among others."""

    tenant: str
    tier: str = "standard"
    rank: int = 0  # of its place, as `fair.py` has it


@dataclass(frozen=True, slots=True)
class About:
    """What a node says of itself."""

    id: str
    url: str  # where clients reach it
    device: str
    models: tuple[str, ...]
    slots: int  # sessions at once
    load: float = 0.0  # share of the device that is busy, 0 to 1
    draining: bool = False


class Placement:
    """The scripts, for one fleet."""

    def __init__(self, redis: Redis, keys: Keys, node_ms: int = NODE_MS, lease_ms: int = LEASE_MS) -> None:
        self.redis, self._keys, self._node_ms, self._lease_ms = redis, keys, node_ms, lease_ms
        made = map(redis.register_script, (scripts.BEAT, scripts.CLAIM, scripts.RELEASE, scripts.LOOK))
        self._leave, self._bury = map(redis.register_script, (scripts.LEAVE, scripts.BURY))
        self._beat, self._claim, self._release, self._look = made
        self._moved = "never"  # when nodes came or went last, as far as we know
        self._urls: list[str] = []  # of those that there are since

    async def beat(self, about: About, sessions: Mapping[str, Holder]) -> tuple[list[str], list[str]]:
        """Say that a node lives and serves these sessions.

        Returns: those of them that another node has taken over, which this one must end; addresses of all nodes.
        Raises: redis.RedisError.
        """
        told = {
            "url": about.url, "device": about.device, "models": ",".join(about.models), "slots": about.slots,
            "load": round(about.load, 3), "draining": int(about.draining),
        }  # fmt: skip
        held = json.dumps({session: list(of) for session, of in sessions.items()})
        said = (about.id, json.dumps(told), self._node_ms, self._lease_ms, held, self._moved)
        lost, moved, urls = await self._run(self._beat, *said)
        if urls is not None:
            self._moved, self._urls = _text(moved), sorted(map(_text, urls))
        return [_text(session) for session in lost], list(self._urls)

    async def claim(
        self, session: str, of: Holder, model: str, asked: str, *, stay: bool = False, limit: int = 0,
        turn: bool = False, only_back: bool = False, right: float = math.inf,
        waiting: int = 1,
    ) -> int:  # fmt: skip
        """Take a place at `asked`, the node that was asked, or learn where there is one: least loaded first, of all
        nodes or, where there are many, of sixteen at random.

        Live sessions find the places of flex ones free: their frames come first anyway.

        Args:
            stay: take a place at `asked` if it has one, whatever its load.
            limit: sessions of this tenant at once, 0 for any number.
            turn: whether it is this one's turn; else it finds nothing while anybody waits.
            only_back: take a place only if the session has one already.
            right: places of the tenant that nobody takes back.
            waiting: of the tenant, this one among them.
        Returns: the rank of the place.
        Raises: Elsewhere; AtCapacity, Wait; NotReady if no node has the model; redis.RedisError.
        """
        asks = (
            session, of.tenant, model, asked, int(stay), limit, self._lease_ms, of.tier, int(turn), int(only_back),
            min(right, 1e9), waiting,
        )  # fmt: skip
        answer, *rest = [_text(each) for each in await self._run(self._claim, *asks)]
        if answer == "tenant":
            raise TenantAtCapacity(of.tenant, limit)
        if answer == "taken":
            raise AtCapacity(1, what="places under this session's name")
        if answer == "wait":
            raise Wait
        if answer == "full":
            if rest[0] == "0":
                raise NotReady
            raise AtCapacity(int(rest[0]), what="sessions of this fleet")
        if rest[0] != asked:
            raise Elsewhere(rest[1], rest[0])
        return int(rest[2])

    async def release(self, session: str, node: str) -> None:
        """Give a place back, if it is still this node's.  Raises: redis.RedisError."""
        await self._run(self._release, node, session)

    async def look(self, model: str, ticket: str = "", of: Holder | None = None) -> tuple[list[Ticket], Load]:
        """Who waits for a model and what there is.  Raises: redis.RedisError.

        Args: ticket: one's own, which is kept for WAITER_MS more.
        """
        who = (ticket, of.tenant, of.tier) if of is not None else ("", "", "")
        slots, ranks, use, lasted, waiting = await self._run(self._look, model, WAITER_MS, *who)
        words = [_text(each) for each in waiting]
        tickets = [
            Ticket(words[n], words[n + 1], words[n + 2], int(words[n + 3]) / 1000) for n in range(0, len(words), 4)
        ]
        tenants = [(_text(use[n]), float(use[n + 1]), int(use[n + 2])) for n in range(0, len(use), 3)]
        used, recent = {t: n for t, _, n in tenants}, {t: value for t, value, _ in tenants}
        places = {rank: int(number) for rank, number in enumerate(ranks) if number}
        return tickets, Load(int(slots), used, recent, tuple(int(each) / 1000 for each in lasted), places)

    async def bury(self, node: str) -> None:
        """A node that cannot be reached is dead until it beats again.  Raises: redis.RedisError."""
        await self._run(self._bury, node)

    async def leave(self, ticket: str) -> None:
        """Wait no longer.  Raises: redis.RedisError."""
        await self._run(self._leave, ticket)

    async def _run(self, script: Any, *arguments: Any) -> Any:
        return await script(keys=[self._keys.nodes], args=[self._keys.prefix, *arguments])


def _text(value: bytes | str | int) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)

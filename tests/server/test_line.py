"""Who waits at one node, in whose turn."""

import asyncio
from collections import Counter

from reverie.client.protocol import QueuePosition
from reverie.server.fair import HALF_LIFE_S, Load, Ticket
from reverie.server.line import Line, Use


def mine(n: int, tenant: str = "t", tier: str = "standard") -> Ticket:
    return Ticket(str(n), tenant, tier, float(n))


async def settled() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_places_go_in_order_and_each_is_told_where_it_stands() -> None:
    line, places, told = Line(3, lambda: Load(2)), ["a", "b"], [[], [], []]
    free: list[str] = []
    take = lambda: free.pop() if free else None
    waits = [asyncio.create_task(line.wait(mine(n), take, told[n].append)) for n in range(3)]
    await settled()
    assert [each[-1] for each in told] == [QueuePosition(1, 3), QueuePosition(2, 3), QueuePosition(3, 3)]
    assert line.full
    free.append(places[0])
    line.move()
    await settled()
    assert waits[0].result() == "a" and not waits[1].done()
    assert told[1][-1] == QueuePosition(1, 2) and told[2][-1] == QueuePosition(2, 2)
    waits[1].cancel()
    await settled()
    assert told[2][-1] == QueuePosition(1, 1)
    free.append(places[1])
    line.move()
    await settled()
    assert waits[2].result() == "b" and len(line) == 0


async def test_two_places_at_once_serve_two() -> None:
    line, free = Line(3, lambda: Load(2)), []
    waits = [
        asyncio.create_task(line.wait(mine(n), lambda: free.pop() if free else None, lambda _: None)) for n in range(3)
    ]
    await settled()
    free += [1, 2]
    line.move()
    await settled()
    assert [each.done() for each in waits] == [True, True, False]
    waits[2].cancel()


async def test_tenants_take_turns_and_priority_comes_first() -> None:
    free, got = [], []
    used = lambda: Counter(each.tenant for each in got)
    line = Line(9, lambda: Load(len(free) + len(got), used(), ranks={0: len(got)}))
    who = [mine(0, "a"), mine(1, "a"), mine(2, "b"), mine(3, "c", "priority"), mine(4, "a", "flex")]
    take = lambda ticket: lambda: (free.pop(), got.append(ticket))[0] if free else None
    waits = [asyncio.create_task(line.wait(each, take(each), lambda _: None)) for each in who]
    for _ in who:
        await settled()
        free.append("place")
        line.move()
    await asyncio.gather(*waits)
    assert [int(each.id) for each in got] == [3, 0, 2, 1, 4]


async def test_one_that_does_not_wait_is_not_served_before_those_who_do() -> None:
    line = Line(9, lambda: Load(1))
    assert line.turn(mine(0))
    waiting = asyncio.create_task(line.wait(mine(1), lambda: None, lambda _: None))
    await settled()
    assert not line.turn(mine(2)) and line.turn(mine(3, "other", "priority"))
    waiting.cancel()


def test_use_of_late_fades_and_visits_are_timed() -> None:
    now = 0.0
    use = Use(lambda: now)
    began = use.began("a")
    now = HALF_LIFE_S
    assert use.load(4, {}).recent == {"a": 0.5}
    use.ended("a", began)
    now = 2 * HALF_LIFE_S
    load = use.load(4, {2: 1})
    assert load.recent == {"a": 0.25} and load.used == {"a": 0} and load.lasted_s == (HALF_LIFE_S,)
    assert load.free(1) == 4 and load.free(2) == 3
    now = 20 * HALF_LIFE_S
    assert not use.load(4, {}).used

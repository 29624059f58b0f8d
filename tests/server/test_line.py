"""First come, first served."""

import asyncio

from reverie.client.protocol import QueuePosition
from reverie.server.line import Line


async def settled() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_places_go_in_order_and_each_is_told_where_it_stands() -> None:
    line, places, told = Line(3), ["a", "b"], [[], [], []]
    free: list[str] = []
    take = lambda: free.pop() if free else None
    waits = [asyncio.create_task(line.wait(take, told[n].append)) for n in range(3)]
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
    line, free = Line(3), []
    waits = [asyncio.create_task(line.wait(lambda: free.pop() if free else None, lambda _: None)) for _ in range(3)]
    await settled()
    free += [1, 2]
    line.move()
    await settled()
    assert [each.done() for each in waits] == [True, True, False]
    waits[2].cancel()

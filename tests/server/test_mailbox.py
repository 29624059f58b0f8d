"""Newest wins, losses counted."""

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from reverie.server.mailbox import Latest


@given(st.lists(st.integers(), min_size=1, max_size=20))
def test_the_newest_item_is_taken_and_the_others_are_counted(items: list[int]) -> None:
    async def play() -> None:
        box: Latest[int] = Latest()
        for item in items:
            box.put(item)
        assert await box.get() == items[-1]
        assert box.dropped == len(items) - 1

    asyncio.run(play())


async def test_a_waiting_consumer_gets_the_next_item() -> None:
    box: Latest[str] = Latest()
    waiting = asyncio.create_task(box.get())
    await asyncio.sleep(0)
    assert not waiting.done()
    box.put("a")
    assert await waiting == "a"
    assert box.dropped == 0

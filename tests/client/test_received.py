"""The newest frame wins."""

import asyncio
from typing import Any

import pytest

from reverie.client import ConnectionLost
from reverie.client.received import Newest


async def test_a_newer_frame_replaces_one_that_nobody_took() -> None:
    newest: Any = Newest()
    newest.put(1)
    newest.put(2)
    assert await newest.get() == 2
    waiting = asyncio.create_task(newest.get())
    await asyncio.sleep(0)
    newest.put(3)
    assert await waiting == 3


async def test_the_last_frame_is_still_given_before_the_end() -> None:
    newest: Any = Newest()
    newest.put(1)
    newest.end(None)
    assert [await newest.get(), await newest.get()] == [1, None]


async def test_what_ended_it_is_raised() -> None:
    newest = Newest()
    newest.end(ConnectionLost("gone"))
    with pytest.raises(ConnectionLost, match="gone"):
        await newest.get()

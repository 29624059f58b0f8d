"""What is running, and only one's own."""

import asyncio
import json
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

INVERTED, RED = (55, 195, 195), (55, 39, 39)


def get(url: str) -> Any:
    with urlopen(url, timeout=10) as answer:
        return json.load(answer)


async def test_running_sessions_are_listed_newest_first(server: Any, call: Any) -> None:
    where = f"{server.url}/v1/sessions"
    async with call("invert") as one:
        await one.sees(INVERTED)
        async with call("red") as two:
            await two.sees(RED)
            listed = await asyncio.to_thread(get, where)
            assert [each["prompt"] for each in listed] == ["red", "invert"]
            assert listed[0]["state"] == "styled" and listed[0]["recording"] is None and listed[0]["mask"] == "none"
            assert await asyncio.to_thread(get, f"{where}/newest") == listed[0]
            assert await asyncio.to_thread(get, f"{where}/{listed[1]['id']}") == listed[1]
    for _ in range(100):  # until the server has noticed that they hung up
        if not await asyncio.to_thread(get, where):
            break
        await asyncio.sleep(0.05)
    with pytest.raises(HTTPError, match="404"):
        await asyncio.to_thread(get, f"{where}/{listed[1]['id']}")

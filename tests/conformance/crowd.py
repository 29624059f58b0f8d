"""A server without a free place, for SDK environments (aiohttp is what Decart's SDK brings)."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp


async def waits_in_line(url: str, connect: Callable[[], Awaitable[Any]]) -> bool:
    """Whether an SDK that meets a full server waits, and comes in when a place is free.  It hangs up again."""
    async with aiohttp.ClientSession() as http:

        async def gauge(name: str) -> int:
            async with http.get(f"{url}/metrics") as answer:
                return int(float(re.search(rf"^reverie_{name} (\S+)$", await answer.text(), re.M)[1]))

        places = await gauge("slots")
        crowd = [await http.ws_connect(f"{url.replace('http', 'ws')}/v1/stream?api_key=local") for _ in range(places)]
        connecting = asyncio.create_task(connect())
        for _ in range(600):
            if connecting.done() or await gauge("waiting") == 1:
                break
            await asyncio.sleep(0.05)
        waited = not connecting.done()
        for each in crowd:
            await each.close()
        live = await connecting
        came_in = live.is_connected()
        await live.disconnect()
    return waited and came_in

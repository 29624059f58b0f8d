from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from reverie.client import BadRequest, ConnectionLost, search


async def test_what_the_server_refuses_is_said_in_its_words(toy: Any) -> None:
    with pytest.raises(BadRequest, match="no such moment"):
        await search(toy.url, like="nothing")
    with pytest.raises(BadRequest, match="what to look for"):
        await search(toy.url)
    with pytest.raises(BadRequest, match="side must be"):
        await search(toy.url, "cat", side="left")


async def test_no_server_is_a_lost_connection(tmp_path: Path) -> None:
    with pytest.raises(ConnectionLost, match=r"127\.0\.0\.1"):
        await search("http://127.0.0.1:9", "cat")
    assert asyncio.iscoroutinefunction(search)

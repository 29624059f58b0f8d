"""Recordings belong to tenants."""

import asyncio
import sys
import time
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

sys.path.append(str(Path(__file__).resolve().parents[1]))

from rig.flash import Flashes
from rig.node import serve

from reverie.client import connect
from reverie.server.access import new_key


def status(url: str, key: str, method: str = "GET", body: bytes | None = None) -> int:
    request = Request(url, body, {"X-API-KEY": key, "Content-Type": "application/json"}, method=method)
    try:
        return int(urlopen(request, timeout=10).status)
    except HTTPError as refusal:
        return refusal.code


async def test_no_tenant_sees_begins_or_deletes_anothers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (mine, line), (other, line_of_other) = new_key("mine"), new_key("other")
    keys = tmp_path / "keys"
    keys.write_text(f"{line}\n{line_of_other}\n")
    monkeypatch.setenv("REVERIE_DATA", str(tmp_path))
    monkeypatch.setenv("REVERIE_API_KEYS_FILE", str(keys))
    with serve("toy") as node:
        where = f"{node.url}/v1/recordings"
        async with connect(node.url, Flashes(time.monotonic()), api_key=mine) as session:
            async for event in session.events():
                if getattr(event, "type", "") == "session_id":
                    body = f'{{"session": "{event.session_id}"}}'.encode()
                    break
            assert await asyncio.to_thread(status, where, other, "POST", body) == 404
            name = await session.record()
            await asyncio.sleep(1)
            for method, path in (("POST", "/stop"), ("GET", ""), ("GET", "/file"), ("DELETE", "")):
                assert await asyncio.to_thread(status, f"{where}/{name}{path}", other, method) == 404
            await session.record(False)
        assert urlopen(Request(where, headers={"X-API-KEY": other})).read() == b"[]"
        assert status(f"{where}/{name}/file", mine) == 200
        assert status(where, "") == 401
        assert status(where, mine, "POST", b'{"session": 3}') == 400

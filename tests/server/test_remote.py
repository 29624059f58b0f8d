"""A look from outside of a session."""

import asyncio
import json
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

RED, BLUE = (55, 39, 39), (11, 39, 195)


def post(url: str, body: bytes) -> tuple[int, dict[str, Any]]:
    try:
        with urlopen(Request(url, body, {"Content-Type": "application/json"}), timeout=10) as answer:
            return answer.status, json.load(answer)
    except HTTPError as refusal:
        return refusal.code, json.load(refusal)


async def test_a_running_session_takes_on_a_look_from_outside(server: Any, call: Any) -> None:
    async with call("red") as client:
        await client.sees(RED)
        (told,) = [message for message in client.told if message["type"] == "session_id"]
        where = f"{server.url}/v1/sessions/{told['session_id']}/prompt"
        done = await asyncio.to_thread(post, where, b'{"prompt": "blue", "transition_s": 0.1}')
        assert done == (200, {"prompt": "blue"})
        await client.sees(BLUE)
        for body, status, code in (
            (b"", 400, "bad_request"), (b"[]", 400, "bad_request"), (b'{"prompt": 3}', 400, "bad_request"),
            (b"[" * 15_000, 400, "bad_request"), (b" " * 30_000, 413, "too_large"),
        ):  # fmt: skip
            got, answer = await asyncio.to_thread(post, where, body)
            assert (got, answer["error_type"]) == (status, code)
        await client.sees(BLUE)


@pytest.mark.parametrize("name", ["0" * 32, "x"])
def test_a_session_that_is_not_there(server: Any, name: str) -> None:
    status, answer = post(f"{server.url}/v1/sessions/{name}/prompt", b'{"prompt": "red"}')
    assert (status, answer["error_type"]) == (404, "no_session")


async def test_the_mask_alone_can_be_changed(server: Any, call: Any) -> None:
    async with call("red") as client:
        await client.sees(RED)
        (told,) = [message for message in client.told if message["type"] == "session_id"]
        where = f"{server.url}/v1/sessions/{told['session_id']}/prompt"
        assert await asyncio.to_thread(post, where, b'{"mask": "none"}') == (200, {"mask": "none"})
        status, answer = await asyncio.to_thread(post, where, b'{"mask": "hat"}')
        assert (status, answer["error_type"]) == (400, "bad_request")
        assert "none, subject, background" in answer["error"]
        await client.sees(RED)

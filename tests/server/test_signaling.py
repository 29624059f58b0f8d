"""The control WebSocket: what is refused and how; that nonsense ends nothing."""

import asyncio
import json
import time
from types import SimpleNamespace
from typing import Any

import pytest
import websockets
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from websockets.exceptions import ConnectionClosed

from reverie.server import signaling
from reverie.server.returning import Hint

INVERTED = (55, 195, 195)


async def ask(server: Any, *messages: Any, path: str = "/v1/stream") -> tuple[list[dict[str, Any]], int | None]:
    """Send, then listen for half a second: what was told, and the close code if the server hung up."""
    told = []
    async with websockets.connect(server.url.replace("http", "ws") + path) as socket:
        try:
            for message in messages:
                await socket.send(message if isinstance(message, str | bytes) else json.dumps(message))
            while True:
                told.append(json.loads(await asyncio.wait_for(socket.recv(), 0.5)))
        except TimeoutError:
            return told, None
        except ConnectionClosed:
            return told, socket.close_code


@pytest.mark.parametrize(
    ("message", "answer"),
    [
        ({"type": "prompt", "prompt": " A  b "}, {"type": "prompt_ack", "prompt": " A  b ", "success": True}),
        ({"type": "prompt", "prompt": "  "}, {"type": "prompt_ack", "prompt": "  ", "success": False}),
        ({"type": "set_image", "image_data": None, "prompt": None}, {"type": "set_image_ack", "success": True}),
        ({"type": "set_image", "image_data": "aGk="}, {"type": "set_image_ack", "success": False}),
        ({"type": "set_image", "image_ref": "file_1"}, {"type": "set_image_ack", "success": False}),
        ({"type": "settings", "strength": 0.5}, {"type": "settings_ack", "success": True}),
        ({"type": "settings", "strength": 5}, {"type": "error", "error_type": "bad_request"}),
        ("no json", {"type": "error", "error_type": "bad_request"}),
        (b"\x00\xff", {"type": "error", "error_type": "bad_request"}),
        ({"type": "ice-candidate", "candidate": None}, {"type": "session_id"}),
    ],
)
async def test_answers(server: Any, message: Any, answer: dict[str, Any]) -> None:
    told, closed = await ask(server, message)
    assert closed is None
    assert any(answer.items() <= each.items() for each in told), told


async def test_an_unknown_model_is_refused(server: Any) -> None:
    told, closed = await ask(server, path="/v1/stream?model=gpt&api_key=dct_secret")
    assert (closed, told[-1]["error_type"]) == (1008, "model_not_found")
    told, closed = await ask(server, path="/v1/stream?model=toy")
    assert closed is None


@pytest.mark.parametrize(
    "sdp", ["", "v=0", "v=0\r\nm=video 9 x\r\n", "a" * 1000, "v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 0"]
)
async def test_a_bad_offer_is_refused_with_a_reason(server: Any, sdp: str) -> None:
    told, closed = await ask(server, {"type": "offer", "sdp": sdp})
    assert (closed, told[-1]["error_type"]) == (1008, "bad_offer")


async def test_a_full_server_says_so(server: Any) -> None:
    url = server.url.replace("http", "ws") + "/v1/stream"
    async with websockets.connect(url) as a, websockets.connect(url) as b, websockets.connect(url) as c:
        for socket in (a, b, c):
            await socket.recv()
        told, closed = await ask(server)
        assert (closed, told[-1]["error_type"]) == (1013, "at_capacity")
        assert "3 sessions" in told[-1]["error"]


TEXT = st.text(max_size=200) | st.sampled_from(["prompt", "offer", "set_image", "settings", "ice-candidate"]).flatmap(
    lambda kind: st.dictionaries(
        st.sampled_from(["prompt", "sdp", "candidate", "strength", "seed", "image_data", "enhance_prompt"]),
        st.none()
        | st.booleans()
        | st.integers()
        | st.text(max_size=50)
        | st.dictionaries(st.text(max_size=5), st.integers()),
    ).map(lambda body: json.dumps({**body, "type": kind}))
)


async def test_nonsense_ends_neither_the_process_nor_another_session(server: Any, call: Any) -> None:
    async with call("invert") as other:
        await other.sees(INVERTED)
        batches: list[list[str | bytes]] = []

        @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck), database=None)
        @given(st.lists(TEXT | st.binary(max_size=100), min_size=1, max_size=6))
        def collect(messages: list[str | bytes]) -> None:
            batches.append(messages)

        collect()
        for messages in batches:
            async with websockets.connect(server.url.replace("http", "ws") + "/v1/stream") as socket:
                try:
                    for message in messages:
                        await socket.send(message)
                    await asyncio.wait_for(socket.recv(), 1)
                except ConnectionClosed:
                    pass
        assert server.process.poll() is None
        count = len(other.seen)
        await other.until(lambda: len(other.seen) > count + 10)
        await other.sees(INVERTED)


async def test_no_key_of_a_query_string_reaches_the_log(server: Any) -> None:
    for path in ("/v1/stream?api_key=dct_secret&model=toy", "/v1/stream?api_key=dct_secret&model=other"):
        await ask(server, {"type": "offer", "sdp": "x"}, path=path)
    log = server.log.read_text()
    assert "toy is ready" in log
    assert "dct_secret" not in log


def test_only_a_dead_connection_of_the_same_client_makes_room() -> None:
    me, other = (Hint("local", "", address, "decart-js-sdk", "toy") for address in ("127.0.0.1", "127.0.0.2"))
    now, ended = time.monotonic(), []
    cases = {"dead": (me, now - 60), "live": (me, now), "no camera yet": (me, 0.0), "somebody's": (other, now - 60)}
    sessions = [
        SimpleNamespace(visitor=who, camera_at=at, end=lambda reason, name=name: ended.append(name))
        for name, (who, at) in cases.items()
    ]
    signaling._end_lost(SimpleNamespace(sessions=sessions), me)  # type: ignore[arg-type]
    assert ended == ["dead"]

"""What Decart's SDKs say on the control WebSocket, message by message."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import pytest
import websockets

sys.path.append(str(Path(__file__).resolve().parents[1]))
from rig.livekit_client import room_of

QUERY = "model=lucy_2_rt&api_key=k&resolution=720p&user_agent=decart-python-sdk%2F0.2.4"


def at(server: Any, query: str = QUERY) -> Any:
    return websockets.connect(f"{server.url.replace('http', 'ws')}/v1/stream?{query}")


def look(server: Any, session: str) -> str:
    return str(json.loads(server.get(f"/v1/sessions/{session}")[1])["prompt"])


async def until(socket: Any, kind: str) -> dict[str, Any]:
    while True:
        told = json.loads(await asyncio.wait_for(socket.recv(), 10))
        if told["type"] == kind:
            return dict(told)


async def test_prompts_before_the_room_are_answered_with_exactly_what_was_sent(server: Any) -> None:
    prompt = {"type": "prompt", "prompt": "  Anime,  bold ", "enhance_prompt": True}
    async with at(server) as socket:
        await socket.send(json.dumps(prompt))
        room, told = await room_of(socket, {"type": "set_image", "image_data": None, "prompt": None})
        (ack,) = [each for each in told if each["type"] == "prompt_ack"]
        assert (ack["prompt"], ack["success"], ack["error"]) == ("  Anime,  bold ", True, None)
        assert room["livekit_url"] == server.url.replace("http", "ws")
        assert {"token", "room_name", "session_id"} <= room.keys() and len(room["room_name"]) > 20
        assert (await until(socket, "set_image_ack"))["success"]
        kinds = {each["type"] for each in told}
        assert not kinds & {"status", "prompt_enhanced"}  # its SDKs warn of what they do not know


async def test_the_state_inside_a_join_is_answered_like_any_other(server: Any) -> None:
    for state, kind in (({"type": "prompt", "prompt": "x"}, "prompt_ack"), ({"type": "set_image"}, "set_image_ack")):
        async with at(server) as socket:
            await socket.send(json.dumps({"type": "livekit_join", "initial_state": state}))
            assert (await until(socket, kind))["success"]


async def test_pictures_that_cannot_be_used_are_refused_with_a_reason(server: Any) -> None:
    async with at(server) as socket:
        for state, words in (
            ({"image_data": "aGk="}, ("none of", "takes no reference")),
            ({"image_ref": "file_none"}, ("no such file", "takes no reference")),
            ({"image_data": "http://127.0.0.1/"}, ("not fetched", "takes no reference")),
        ):
            await socket.send(json.dumps({"type": "set_image", **state}))
            ack = await until(socket, "set_image_ack")
            assert not ack["success"] and any(each in ack["error"] for each in words), ack


async def test_a_second_room_is_refused(server: Any) -> None:
    async with at(server) as socket:
        await room_of(socket)
        await socket.send('{"type": "livekit_join"}')
        assert "one room" in (await until(socket, "error"))["error"]


async def test_behind_a_proxy_that_ends_tls_the_room_is_reached_by_tls(server: Any) -> None:
    url = f"{server.url.replace('http', 'ws')}/v1/stream?{QUERY}"
    async with websockets.connect(url, additional_headers={"x-forwarded-proto": "https"}) as socket:
        room, _ = await room_of(socket)
        assert room["livekit_url"] == server.url.replace("http", "wss")


async def test_a_client_that_lost_its_socket_goes_on_with_what_it_had(server: Any) -> None:
    """Its SDK says nothing of the prompt when it comes back; red must be there, and only then."""
    for leaves, expected in (("abnormally", "red"), ("well", "")):
        query = f"{QUERY}-{leaves}"
        async with at(server, query) as socket:
            await socket.send('{"type": "prompt", "prompt": "red"}')
            await until(socket, "prompt_ack")
            room = (await room_of(socket))[0]
            assert look(server, room["session_id"]) == "red"
            if leaves == "abnormally":
                socket.transport.abort()
        await asyncio.sleep(0.3)
        async with at(server, query) as socket:
            room = (await room_of(socket, {"type": "set_image", "image_data": None, "prompt": None}))[0]
            await until(socket, "set_image_ack")
            assert look(server, room["session_id"]) == expected


async def test_clients_that_can_wait_are_told_where_they_stand_and_get_in(server: Any) -> None:
    async with at(server) as a, at(server) as b, at(server) as c, at(server) as waiting:
        told = await until(waiting, "queue_position")
        assert (told["position"], told["queue_size"]) == (1, 1)
        await waiting.send('{"type": "prompt", "prompt": "red"}')  # kept until it has a place
        for socket in (a, b, c):
            await until(socket, "session_id")
        await a.close()
        assert (await until(waiting, "prompt_ack"))["success"]


@pytest.mark.parametrize("message", [{"initial_state": []}, {"initial_state": {"type": "offer"}}])
async def test_a_join_that_cannot_be_read_ends_nothing(server: Any, message: dict[str, Any]) -> None:
    async with at(server) as socket:
        await socket.send(json.dumps({"type": "livekit_join", **message}))
        assert (await until(socket, "error"))["error_type"] == "bad_request"
        await room_of(socket)


async def test_who_began_with_the_camera_and_comes_back_finds_the_look(server: Any) -> None:
    query = "model=lucy-2.5&api_key=k&user_agent=decart-js-sdk%2F0.1.20"
    join = {"type": "livekit_join", "passthrough": True}
    async with at(server, query) as socket:
        await socket.send(json.dumps(join))
        await until(socket, "livekit_room_info")
        await socket.send(json.dumps({"type": "prompt", "prompt": "green", "enhance_prompt": False}))
        assert (await until(socket, "prompt_ack"))["success"]
        socket.transport.abort()
    async with at(server, query) as socket:
        await socket.send(json.dumps(join))
        room = await until(socket, "livekit_room_info")
        ends = asyncio.get_running_loop().time() + 30
        while look(server, room["session_id"]) != "green":
            assert asyncio.get_running_loop().time() < ends
            await asyncio.sleep(0.05)
    async with at(server, query) as socket:  # it left of its own will: nothing is kept
        await socket.send(json.dumps(join))
        room = await until(socket, "livekit_room_info")
        assert look(server, room["session_id"]) == ""

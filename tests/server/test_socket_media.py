"""The protocol of pictures over the control WebSocket, as a foreign client would speak it."""

import asyncio
import json
from fractions import Fraction
from typing import Any

import av
import pytest
import websockets

from reverie.client.socket_media import KEYFRAME, PICTURE, RECEIVED, Packet, pack, unpack
from reverie.server.encoders import Encoder


def at(server: Any) -> Any:
    return websockets.connect(f"{server.url.replace('http', 'ws')}/v1/stream")


async def told(socket: Any, kind: str) -> dict[str, Any]:
    while True:
        message = await asyncio.wait_for(socket.recv(), 60)
        if isinstance(message, str) and json.loads(message)["type"] == kind:
            return dict(json.loads(message))


def camera(codec: str, count: int) -> list[Packet]:
    encoder, made = Encoder(codec), []
    for number in range(count):
        frame = av.VideoFrame(64, 48, "yuv420p")
        for plane in frame.planes:
            plane.update(bytes([90]) * plane.buffer_size)
        frame.pts, frame.time_base = number * 3000, Fraction(1, 90000)
        encoded = encoder.encode(frame, 500_000, number == 0)
        made.append(Packet(PICTURE, encoded.timestamp, encoded.keyframe, encoded.data))
    return made


@pytest.mark.parametrize("codec", ["VP8", "H264"])
async def test_pictures_are_confirmed_and_come_back_with_their_times(server: Any, codec: str) -> None:
    async with at(server) as socket:
        await socket.send(json.dumps({"type": "media", "codec": codec}))
        confirmed, shown = [], []
        for packet in camera(codec, 5):
            await socket.send(pack(packet))
            while packet.timestamp not in confirmed or packet.timestamp not in shown:
                message = await asyncio.wait_for(socket.recv(), 60)
                if isinstance(message, bytes):
                    came = unpack(message)
                    (confirmed if came.kind == RECEIVED else shown).append(came.timestamp)
                    if came.kind == PICTURE:
                        await socket.send(pack(Packet(RECEIVED, came.timestamp)))
        assert confirmed == shown == [0, 3000, 6000, 9000, 12000]


async def test_who_begins_without_a_keyframe_is_asked_for_one(server: Any) -> None:
    async with at(server) as socket:
        await socket.send(json.dumps({"type": "media", "codec": "VP8"}))
        await socket.send(pack(camera("VP8", 2)[1]))
        while True:
            message = await asyncio.wait_for(socket.recv(), 60)
            if isinstance(message, bytes):
                assert unpack(message).kind == KEYFRAME
                break


@pytest.mark.parametrize(
    "first, second, words",
    [
        (None, pack(Packet(RECEIVED, 1)), 'come after {"type": "media"}'),
        ({"type": "media", "codec": "VP8"}, b"\x09", "begins with a header of 8 bytes"),
        ({"type": "media", "codec": "VP8"}, pack(Packet(PICTURE)), "a picture has 1 to 4000000 bytes"),
        ({"type": "media", "codec": "AV1"}, pack(Packet(RECEIVED)), "codec must be VP8 or H264, got 'AV1'"),
    ],
)
async def test_what_cannot_be_read_is_told_and_costs_nothing_else(
    server: Any, first: dict[str, str] | None, second: bytes, words: str
) -> None:
    async with at(server) as socket:
        if first is not None:
            await socket.send(json.dumps(first))
        await socket.send(second)
        failure = await told(socket, "error")
        assert words in failure["error"] and failure["error_type"] == "bad_request"
        await socket.send(json.dumps({"type": "prompt", "prompt": "red"}))
        assert (await told(socket, "prompt_ack"))["success"]

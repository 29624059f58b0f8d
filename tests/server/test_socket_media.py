"""The protocol of media over the control WebSocket, as a foreign client would speak it."""

import asyncio
import json
from fractions import Fraction
from itertools import pairwise
from statistics import median
from typing import Any

import av
import pytest
import websockets

from reverie.client.opus import Encoder as OpusEncoder
from reverie.client.socket_media import KEYFRAME, PICTURE, RECEIVED, SOUND, Packet, pack, unpack
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


def microphone(count: int) -> list[Packet]:
    """Silence; its times are an hour after those of the camera."""
    encoder, made = OpusEncoder(), []
    for number in range(count):
        frame = av.AudioFrame("s16", "mono", 960)
        frame.pts, frame.sample_rate, frame.time_base = 3600 * 48_000 + number * 960, 48_000, Fraction(1, 48_000)
        frame.planes[0].update(bytes(frame.planes[0].buffer_size))
        made += [Packet(SOUND, each.timestamp * 15 // 8, data=each.payloads[0]) for each in encoder.encode(frame)]
    return made


async def test_sound_comes_back_with_the_times_of_the_pictures_beside_it(server: Any) -> None:
    async with at(server) as socket:
        await socket.send(json.dumps({"type": "media", "codec": "VP8", "sound": True}))
        assert (await told(socket, "media_ack"))["sound"] is True
        (picture,) = camera("VP8", 1)
        await socket.send(pack(picture))
        heard: list[Packet] = []
        for packet in microphone(20):
            await socket.send(pack(packet))
            await asyncio.sleep(0.02)  # as a microphone does
        while len(heard) < 10:
            message = await asyncio.wait_for(socket.recv(), 60)
            if isinstance(message, bytes) and unpack(message).kind == SOUND:
                heard.append(unpack(message))
        apart_s = [((packet.timestamp + 2**31) % 2**32 - 2**31) / 90_000 for packet in heard]
        assert all(abs(each) < 5 for each in apart_s), "an hour is taken off; the picture's time is 0"
        assert median(later - sooner for sooner, later in pairwise(apart_s)) == pytest.approx(0.02, abs=2e-3)


async def test_who_does_not_ask_for_sound_gets_none(server: Any) -> None:
    async with at(server) as socket:
        await socket.send(json.dumps({"type": "media", "codec": "VP8"}))
        assert (await told(socket, "media_ack"))["sound"] is False
        for packet in (*microphone(5), *camera("VP8", 1)):
            await socket.send(pack(packet))
        kinds = []
        while PICTURE not in kinds:
            message = await asyncio.wait_for(socket.recv(), 60)
            kinds += [unpack(message).kind] if isinstance(message, bytes) else []
        assert SOUND not in kinds


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
        ({"type": "media", "codec": "VP8"}, pack(Packet(SOUND, data=bytes(4001))), "sound 1 to 4000"),
        ({"type": "media", "codec": "VP8", "sound": 1}, pack(Packet(RECEIVED, 1)), "sound must be true or false"),
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

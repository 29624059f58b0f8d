"""Packets of pictures, what is on its way, and what is made of what comes."""

import asyncio
from fractions import Fraction
from typing import Any

import av
import pytest
from aiortc.mediastreams import MediaStreamError
from hypothesis import given
from hypothesis import strategies as st

from reverie.client import socket_media
from reverie.client.over_socket import _x264
from reverie.client.rate import START
from reverie.client.socket_media import (
    KEYFRAME,
    PICTURE,
    RECEIVED,
    WINDOW,
    WRAP,
    Incoming,
    Packet,
    Window,
    pack,
    unpack,
)


@given(st.integers(0, 2**40), st.booleans(), st.binary(min_size=1, max_size=100))
def test_packets_come_out_as_they_went_in(timestamp: int, keyframe: bool, data: bytes) -> None:
    picture = Packet(PICTURE, timestamp % WRAP, keyframe, data)
    assert unpack(pack(Packet(PICTURE, timestamp, keyframe, data))) == picture
    assert unpack(pack(Packet(RECEIVED, timestamp))) == Packet(RECEIVED, timestamp % WRAP)


@given(st.binary(max_size=40))
def test_arbitrary_bytes_raise_only_value_errors(data: bytes) -> None:
    try:
        assert pack(unpack(data))[:2] == data[:2]
    except ValueError as error:
        assert "bytes" in str(error)


async def test_so_many_pictures_are_on_their_way_and_no_more() -> None:
    window = Window()
    for number in range(WINDOW):
        await asyncio.wait_for(window.room(), 30)
        window.sent(number, 1000)
    waiting = asyncio.create_task(window.room())
    await asyncio.sleep(0)
    assert not waiting.done()
    window.received(99)  # never sent
    await asyncio.sleep(0)
    assert not waiting.done()
    window.received(2)  # 0 and 1 have come as well
    await asyncio.wait_for(waiting, 30)
    assert len(window._sent) == WINDOW - 3


async def test_round_trips_that_grow_bring_the_rate_down(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(socket_media.time, "monotonic", lambda: now[0])
    window, taken = Window(), -1
    for number in range(200):
        window.sent(number, START // 8 // 30)
        now[0] += 1 / 30
        if number < 30 or len(window._sent) == WINDOW:  # then pictures wait for the link
            waiting = asyncio.create_task(window.room())
            await asyncio.sleep(0)
            now[0] += 0.0 if number < 30 else 0.1
            taken += 1
            window.received(taken)
            await asyncio.wait_for(waiting, 30)
    assert window.control.bitrate < START / 2


def pictures(count: int) -> list[Packet]:
    codec, made = _x264(64, 48, 500_000), []
    for number in range(count):
        frame = av.VideoFrame(64, 48, "yuv420p")
        frame.pts, frame.time_base = number * 3000, Fraction(1, 90000)
        (packet,) = codec.encode(frame)
        made.append(Packet(PICTURE, (WRAP - 3000 + 3000 * number) % WRAP, packet.is_keyframe, bytes(packet)))
    return made


async def test_what_comes_is_decoded_confirmed_and_keeps_its_time_beyond_the_end_of_32_bits() -> None:
    said: list[Packet] = []
    track = Incoming("H264", said.append)
    for packet in pictures(3):
        track.put(packet)
    frames = [await asyncio.wait_for(track.recv(), 30) for _ in range(3)]
    assert [frame.pts for frame in frames] == [-3000, 0, 3000]  # the first is half a turn away at most
    assert said == [Packet(RECEIVED, WRAP - 3000), Packet(RECEIVED, 0), Packet(RECEIVED, 3000)]


async def test_without_a_keyframe_or_with_nonsense_one_is_asked_for() -> None:
    said: list[Packet] = []
    track = Incoming("H264", said.append)
    first, second, third = pictures(3)
    for packet in (second, Packet(PICTURE, 7, True, b"nonsense"), third, first):
        track.put(packet)
    frame: Any = await asyncio.wait_for(track.recv(), 30)
    assert frame.width == 64
    assert [packet.kind for packet in said].count(KEYFRAME) == 2
    assert [packet.kind for packet in said].count(RECEIVED) == 4
    track.stop()
    with pytest.raises(MediaStreamError):
        await track.recv()


async def test_a_peer_without_manners_fills_no_memory() -> None:
    track = Incoming("VP8", print)
    for number in range(1000):
        track.put(Packet(PICTURE, number, False, b"x"))
    assert track._packets.qsize() <= socket_media.UNREAD
    track.stop()

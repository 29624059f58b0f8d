"""Packets of pictures, what is on its way, and what is made of what comes."""

import asyncio
from fractions import Fraction
from itertools import pairwise
from typing import Any

import av
import pytest
from aiortc.mediastreams import MediaStreamError
from hypothesis import given
from hypothesis import strategies as st

from reverie.client import socket_media
from reverie.client.opus import Encoder
from reverie.client.over_socket import _x264
from reverie.client.rate import START
from reverie.client.socket_media import (
    KEYFRAME,
    PICTURE,
    RECEIVED,
    SOUND,
    SOUNDS_A_SECOND,
    STUCK_S,
    WINDOW,
    WRAP,
    Incoming,
    IncomingSound,
    Packet,
    Window,
    pack,
    unpack,
)


@given(st.integers(0, 2**40), st.booleans(), st.binary(min_size=1, max_size=100))
def test_packets_come_out_as_they_went_in(timestamp: int, keyframe: bool, data: bytes) -> None:
    picture = Packet(PICTURE, timestamp % WRAP, keyframe, data)
    assert unpack(pack(Packet(PICTURE, timestamp, keyframe, data))) == picture
    sound = Packet(SOUND, timestamp % WRAP, False, data)
    assert unpack(pack(sound)) == sound
    assert unpack(pack(Packet(RECEIVED, timestamp))) == Packet(RECEIVED, timestamp % WRAP)


@pytest.mark.parametrize("kind, size", [(PICTURE, 0), (PICTURE, 4_000_001), (SOUND, 0), (SOUND, 4_001), (KEYFRAME, 1)])
def test_a_packet_of_a_wrong_size_is_refused_with_its_size(kind: int, size: int) -> None:
    with pytest.raises(ValueError, match=f"sound 1 to 4000, other packets none, got {size}"):
        unpack(pack(Packet(kind, data=bytes(size))))


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


async def test_a_link_that_holds_pictures_for_a_second_is_stuck(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(socket_media.time, "monotonic", lambda: now[0])
    window = Window()
    assert not window.stuck
    window.sent(1, 1000)
    now[0] = 0.9 * STUCK_S
    window.sent(2, 1000)
    assert not window.stuck
    now[0] = 1.1 * STUCK_S
    assert window.stuck
    window.received(1)
    assert not window.stuck


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


def sounds(count: int) -> list[Packet]:
    encoder, made = Encoder(), []
    for number in range(count):
        frame = av.AudioFrame("s16", "mono", 960)
        frame.pts, frame.sample_rate, frame.time_base = number * 960, 48_000, Fraction(1, 48_000)
        frame.planes[0].update(bytes(frame.planes[0].buffer_size))
        for each in encoder.encode(frame):
            at = (WRAP - 3600 + each.timestamp * 15 // 8) % WRAP
            made.append(Packet(SOUND, at, data=each.payloads[0]))
    return made


async def test_sound_that_comes_keeps_its_time_beyond_the_end_of_32_bits_and_survives_nonsense() -> None:
    track = IncomingSound()
    packets = sounds(5)
    for packet in (packets[0], Packet(SOUND, 5, data=b"\xff" * 40), *packets[1:4]):
        track.put(packet)
    frames = [await asyncio.wait_for(track.recv(), 30) for _ in range(4)]
    times = [frame.pts for frame in frames]
    assert [later - sooner for sooner, later in pairwise(times)] == [960, 960, 960]
    assert times[0] < 0 < times[-1] and all(frame.samples == 960 for frame in frames)
    track.stop()
    with pytest.raises(MediaStreamError):
        await track.recv()


async def test_more_sound_than_there_can_be_is_lost_and_takes_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [10.0]
    monkeypatch.setattr(socket_media.time, "monotonic", lambda: now[0])
    track, (packet, *_) = IncomingSound(), sounds(2)
    taken = []
    for second in range(3):
        now[0] = 10.0 + 1.5 * second
        for _ in range(1000):
            before = track._packets.qsize()
            track.put(packet)
            taken.append(track._packets.qsize() > before)
            if taken[-1]:
                track._packets.get_nowait()
    assert sum(taken) == 3 * SOUNDS_A_SECOND
    for _ in range(1000):
        now[0] += 0.02
        track.put(packet)
    assert track._packets.qsize() <= socket_media.UNREAD
    track.stop()

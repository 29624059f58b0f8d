"""One encode per quality, whoever watches."""

import asyncio
import time
from collections.abc import AsyncIterator
from fractions import Fraction

import av
import pytest
from aiortc.mediastreams import MediaStreamError

from reverie.server import output as module
from reverie.server.encoders import Encoded
from reverie.server.metrics import Metrics
from reverie.server.output import BACKLOG, LADDER, Output, Reader, rung_for, scaled


def picture(number: int, width: int = 64, height: int = 48) -> av.VideoFrame:
    frame = av.VideoFrame(width, height, "yuv420p")
    frame.pts, frame.time_base = number * 3000, Fraction(1, 90000)
    return frame


@pytest.fixture
async def output() -> AsyncIterator[Output]:
    made = Output(Metrics())
    yield made
    made.close()


def count(output: Output, name: str, **labels: str) -> float:
    return output.metrics.registry.get_sample_value(f"reverie_{name}", labels) or 0.0


async def play(output: Output, readers: list[Reader], numbers: range) -> list[list[Encoded]]:
    """What each reader gets of some pictures, shown one after the other."""
    got: list[list[Encoded]] = [[] for _ in readers]
    for number in numbers:
        waiting = [asyncio.create_task(reader.recv()) for reader in readers]
        await asyncio.sleep(0)
        output.show(picture(number))
        for each, task in zip(got, waiting, strict=True):
            each.append(await asyncio.wait_for(task, 5))
    return got


async def test_a_reader_that_waits_before_its_codec_is_agreed_gets_pictures(output: Output) -> None:
    reader = output.reader()
    waiting = asyncio.create_task(reader.recv())
    await asyncio.sleep(0)
    reader.codec = "VP8"
    output.show(picture(0))
    assert (await asyncio.wait_for(waiting, 30)).keyframe


async def test_ten_readers_of_one_quality_share_one_encode(output: Output) -> None:
    readers = [output.reader("VP8") for _ in range(10)]
    got = await play(output, readers, range(5))
    assert all(each == got[0] for each in got)
    assert [encoded.timestamp for encoded in got[0]] == [0, 3000, 6000, 9000, 12000]
    assert count(output, "encode_seconds_count") == 5
    assert count(output, "viewers") == 10


async def test_codecs_and_rungs_are_encoded_apart(output: Output) -> None:
    readers = [output.reader("VP8"), output.reader("H264"), output.reader("VP8")]
    readers[2].bitrate = LADDER[2].floor
    got = await play(output, readers, range(2))
    assert [each[0].width for each in got] == [64, 64, 32]
    assert count(output, "encode_seconds_count") == 6


async def test_who_joins_later_begins_with_a_keyframe(output: Output, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "KEYFRAME_GAP_S", 0.0)
    monkeypatch.setattr(module, "KEYFRAME_SHARE", 1e9)
    first = output.reader("VP8")
    await play(output, [first], range(3))
    second = output.reader("VP8")
    got = await play(output, [first, second], range(3, 5))
    assert [encoded.keyframe for encoded in got[1]] == [True, False]


async def test_keyframes_that_are_asked_for_come_no_closer_than_the_limit(output: Output) -> None:
    reader = output.reader("VP8")
    keys = 0
    for number in range(10):
        reader.ask_keyframe()
        ((encoded,),) = await play(output, [reader], range(number, number + 1))
        keys += encoded.keyframe
    assert keys == 1


async def test_a_reader_that_sleeps_goes_on_with_a_keyframe_and_holds_nobody_up(output: Output) -> None:
    sleeper = output.reader("VP8")
    for number in range(BACKLOG + 1):
        sleeper.put(Encoded([b""], number, number == 0, b"", 64, 48))
    sleeper.put(Encoded([b""], 98, False, b"", 64, 48))
    sleeper.put(Encoded([b""], 99, True, b"", 64, 48))
    assert (await sleeper.recv()).timestamp == 99
    assert count(output, "dropped_total", where="viewer") == BACKLOG


async def test_after_a_picture_that_took_seconds_of_the_rate_some_are_left_out(output: Output) -> None:
    reader = output.reader("VP8")
    await play(output, [reader], range(1))
    (rendition,) = output._renditions.values()
    rendition._budget.spend(time.monotonic(), 10**9, rendition.bitrate)
    output.show(picture(1))
    while not count(output, "dropped_total", where="rate"):
        await asyncio.sleep(0.01)
    assert count(output, "encode_seconds_count") == 1


async def test_the_bitrate_of_a_quality_is_what_its_slowest_reader_takes(output: Output) -> None:
    fast, slow = output.reader("VP8"), output.reader("VP8")
    fast.allow(3_000_000)
    slow.allow(700_000)
    (rendition,) = output._renditions.values()
    assert rendition.bitrate == 700_000
    slow.allow(300_000)  # goes a rung down and slows nobody any more
    assert rendition.bitrate == 3_000_000
    assert (fast.rung, slow.rung) == (0, 1)


async def test_an_encoder_stops_with_its_last_reader(output: Output) -> None:
    reader = output.reader("VP8")
    await play(output, [reader], range(1))
    assert output._renditions
    reader.stop()
    assert not output._renditions
    assert count(output, "viewers") == 0
    with pytest.raises(MediaStreamError):
        await reader.recv()


async def test_raw_frames_go_to_who_asks(output: Output) -> None:
    with output.frames() as one, output.frames() as other:
        frame = picture(1)
        output.show(picture(0))
        output.show(frame)
        assert await one.get() is frame and await other.get() is frame
    output.show(picture(2))
    assert not one._items


async def test_closing_ends_readers_and_tells_who_wants_to_know(output: Output) -> None:
    told: list[str] = []
    output.when_closed(lambda: told.append("kept"))
    output.when_closed(lambda: told.append("taken back"))()
    waiting = asyncio.create_task(output.reader("VP8").recv())
    await asyncio.sleep(0)
    output.close()
    with pytest.raises(MediaStreamError):
        await waiting
    assert told == ["kept"]


def test_resolution_goes_before_frame_rate_and_up_needs_room_to_spare() -> None:
    assert [rung_for(bitrate, 0) for bitrate in (2_000_000, 400_000, 200_000, 100_000, 1)] == [0, 1, 2, 3, 3]
    assert rung_for(460_000, 1) == 1
    assert rung_for(600_000, 1) == 0
    assert [rung.every for rung in LADDER] == sorted(rung.every for rung in LADDER)


@pytest.mark.parametrize("size", [(64, 48), (65, 49), (62, 46)])
def test_a_scaled_frame_is_a_copy_with_even_sides(size: tuple[int, int]) -> None:
    frame = picture(7, *size)
    for scale in (1.0, 0.75, 0.5):
        copy = scaled(frame, scale)
        assert copy is not frame and copy.pts == frame.pts
        assert copy.width % 2 == copy.height % 2 == 0

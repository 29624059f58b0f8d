"""A jitter buffer that gives up what never comes."""

from queue import Queue
from types import SimpleNamespace
from typing import Any

import pytest
from aiortc.jitterbuffer import JitterBuffer
from aiortc.rtp import RtpPacket

from reverie.client import gaps, rtc_tuning

KEY, DELTA = b"\0\0\0\x9d\x01\x2a", b"\1\0\0\0\0\0"  # how VP8 pictures begin


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    rtc_tuning.apply()
    now = [0.0]
    monkeypatch.setattr(gaps.time, "monotonic", lambda: now[0])
    return now


def packet(number: int, data: bytes = DELTA, *, first: bool = True, last: bool = True) -> Any:
    made = RtpPacket(sequence_number=number % 65536, timestamp=0, marker=int(last))
    made.timestamp = (number if first else number - 1) * 3000 % 2**32
    made._data = data  # type: ignore[attr-defined]
    return made


def feed(buffer: JitterBuffer, *packets: Any) -> list[tuple[bool, bytes | None]]:
    return [(asks, frame and frame.data) for asks, frame in map(buffer.add, packets)]


def test_keyframes_are_known_by_their_first_bytes() -> None:
    assert gaps.is_key(KEY + b"x") and not gaps.is_key(DELTA)
    assert gaps.is_key(b"\0\0\0\1\x67x\0\0\0\1\x65x") and not gaps.is_key(b"\0\0\0\1\x41x") and not gaps.is_key(b"")


@pytest.mark.parametrize("origin", [10, 65533])
def test_what_never_comes_is_given_up_and_a_keyframe_goes_on(clock: list[float], origin: int) -> None:
    buffer = JitterBuffer(capacity=64, is_video=True)
    assert feed(buffer, packet(origin, KEY)) == [(False, KEY)]
    assert feed(buffer, packet(origin + 2), packet(origin + 3)) == [(False, None)] * 2  # 1 is missing
    clock[0] = gaps.PATIENCE_S + 0.01
    assert feed(buffer, packet(origin + 4)) == [(True, None)]
    assert feed(buffer, packet(origin + 5)) == [(False, None)]  # asked a moment ago
    clock[0] += gaps.ASK_S + 0.01
    assert feed(buffer, packet(origin + 6)) == [(True, None)]
    assert feed(buffer, packet(origin + 7, KEY), packet(origin + 8)) == [(False, KEY), (False, DELTA)]


def test_what_comes_in_time_is_waited_for(clock: list[float]) -> None:
    buffer = JitterBuffer(capacity=64, is_video=True)
    feed(buffer, packet(1, KEY))
    feed(buffer, packet(3))
    clock[0] = gaps.PATIENCE_S / 2
    assert feed(buffer, packet(2)) == [(False, DELTA)]
    assert buffer._remove_frame(0) is not None


def test_a_pause_of_the_sender_is_no_gap(clock: list[float]) -> None:
    buffer = JitterBuffer(capacity=64, is_video=True)
    feed(buffer, packet(1, KEY))
    clock[0] = 60.0
    assert feed(buffer, packet(2, last=False), packet(3, first=False)) == [(False, None), (False, DELTA * 2)]


def test_a_sender_without_keyframes_is_shown_smeared_after_a_while(clock: list[float]) -> None:
    buffer = JitterBuffer(capacity=64, is_video=True)
    feed(buffer, packet(1, KEY), packet(3))
    got = []
    for number in range(4, 60):
        clock[0] += 1 / 30
        got += [data for _, data in feed(buffer, packet(number))]
    assert DELTA in got
    assert got.index(DELTA) / 30 == pytest.approx(gaps.PATIENCE_S + gaps.SMEAR_S, abs=0.2)


async def test_a_decoder_that_is_too_slow_goes_on_with_a_keyframe(clock: list[float]) -> None:
    async def taken(self: Any, packet: Any, arrival_time_ms: int) -> None:
        pass

    buffer, waiting = JitterBuffer(capacity=64, is_video=True), Queue()  # type: JitterBuffer, Queue[int]
    receiver = SimpleNamespace(
        _RTCRtpReceiver__jitter_buffer=buffer, _RTCRtpReceiver__decoder_queue=waiting, track=None
    )
    for number in range(gaps.BACKLOG + 1):
        await gaps._handling(taken)(receiver, packet(number), 0)
        assert buffer.lost_since is None  # type: ignore[attr-defined]
        waiting.put(number)
    await gaps._handling(taken)(receiver, packet(99), 0)
    assert buffer.lost_since == 0.0  # type: ignore[attr-defined]
    sound = receiver._RTCRtpReceiver__jitter_buffer = JitterBuffer(capacity=16, prefetch=4)
    await gaps._handling(taken)(receiver, packet(99), 0)
    assert sound.lost_since is None  # type: ignore[attr-defined]
    assert feed(sound, packet(1), packet(2), packet(40)) == [(False, DELTA)] * 3

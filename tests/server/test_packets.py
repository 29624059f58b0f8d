"""Encoded pictures as packets: the same as aiortc's own, in fewer steps."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest
from aiortc import RTCConfiguration, RTCPeerConnection
from aiortc.mediastreams import MediaStreamTrack
from aiortc.rtp import RtpPacket
from hypothesis import given
from hypothesis import strategies as st

from reverie.client import rtc_tuning
from reverie.client.sending import send_encoded
from reverie.server import packets
from reverie.server.encoders import Encoded

PAYLOADS = [b"\x10" + bytes([n]) * 1199 for n in range(9)] + [b"\x10last"]


class Pictures(MediaStreamTrack):
    kind = "video"

    def __init__(self) -> None:
        super().__init__()
        self.queue: asyncio.Queue[Encoded] = asyncio.Queue()

    async def recv(self) -> Any:
        return await self.queue.get()

    def taken(self, timestamp: int) -> float:
        return time.monotonic() - 2.0


@given(st.lists(st.integers(1, 1400).map(bytes), max_size=200))
def test_runs_are_what_the_kernel_can_cut_apart(given: list[bytes]) -> None:
    cut = packets.runs(given)
    assert [each for run in cut for each in run] == given
    for run in cut:
        assert len({len(each) for each in run[:-1]}) <= 1 and len(run[-1]) <= len(run[0])
        assert len(run) <= 64 and sum(map(len, run)) <= packets.MOST


def test_equal_packets_and_a_shorter_one_are_one_run() -> None:
    assert [len(run) for run in packets.runs(PAYLOADS)] == [10]
    assert [len(run) for run in packets.runs([bytes(9), bytes(10), bytes(10), bytes(3), bytes(3)])] == [1, 3, 1]


async def received(at_once: Callable[..., bool] | None, patch: pytest.MonkeyPatch) -> list[RtpPacket]:
    """What a peer gets of two pictures and of one packet that it asks for again."""
    rtc_tuning.apply()
    if at_once is not None:
        patch.setattr(packets, "_at_once", at_once)
    sending, receiving = (RTCPeerConnection(RTCConfiguration(iceServers=[])) for _ in range(2))
    track, got, heard = Pictures(), list[RtpPacket](), asyncio.Event()
    sender = sending.addTrack(track)
    send_encoded(sender, lambda: None)
    packets.send_quickly(sender)
    await sending.setLocalDescription(await sending.createOffer())
    await receiving.setRemoteDescription(sending.localDescription)
    await receiving.setLocalDescription(await receiving.createAnswer())

    async def hear(packet: RtpPacket, arrival_time_ms: int) -> None:
        got.append(packet)
        heard.set()

    receiving.getReceivers()[0]._handle_rtp_packet = hear  # type: ignore[method-assign]
    await sending.setRemoteDescription(receiving.localDescription)

    async def until(count: int) -> None:
        while len(got) < count:
            heard.clear()
            await asyncio.wait_for(heard.wait(), 30)

    for number in range(2):
        track.queue.put_nowait(Encoded(PAYLOADS, 2**32 + 3000 * number, False, b"", 64, 48))
    await until(20)
    await sender._retransmit(got[3].sequence_number)
    await sender._retransmit((got[3].sequence_number - 100) & 0xFFFF)  # never sent
    await until(21)
    reported = (sender._RTCRtpSender__rtp_timestamp - 3000 - 2 * 90_000) & 0xFFFFFFFF  # now, not when it was taken
    assert min(reported, 2**32 - reported) < 90
    stats = await sender.getStats()
    assert next(each for each in stats.values() if each.type == "outbound-rtp").packetsSent == 20
    await sending.close()
    await receiving.close()
    return got


@pytest.mark.parametrize("at_once", [None, lambda *_: False])
async def test_pictures_arrive_whole_in_one_call_and_in_many(
    at_once: Callable[..., bool] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    *pictures, again = await received(at_once, monkeypatch)
    assert [packet.payload for packet in pictures] == PAYLOADS * 2
    assert [packet.timestamp for packet in pictures] == [0] * 10 + [3000] * 10
    assert [packet.marker for packet in pictures] == ([0] * 9 + [1]) * 2
    numbers = [packet.sequence_number for packet in pictures]
    assert numbers == [(numbers[0] + n) & 0xFFFF for n in range(20)]
    assert all(packet.extensions.mid == "0" and packet.extensions.abs_send_time for packet in pictures)
    assert again.payload == numbers[3].to_bytes(2, "big") + PAYLOADS[3]  # RFC 4588


async def test_a_kernel_that_cuts_nothing_is_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    class Old:
        def sendmsg(self, *_: Any) -> None:
            asked.append(1)
            raise OSError(packets.errno.ENOPROTOOPT, "no")

    asked: list[int] = []
    monkeypatch.setattr(packets, "_cuts", True)
    transport = type("Transport", (), {"_sock": Old(), "_buffer": ()})()
    assert [packets._at_once(transport, PAYLOADS, ("127.0.0.1", 9)) for _ in range(3)] == [False] * 3
    assert len(asked) == 1

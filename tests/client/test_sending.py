"""Senders that follow what their peer reports."""

from fractions import Fraction
from typing import Any

import av
import pytest
from aiortc import RTCConfiguration, RTCPeerConnection, rtp
from aiortc.codecs import CODECS
from aiortc.mediastreams import MediaStreamTrack

from reverie.client import rate, rtc_tuning, sending
from reverie.client.rate import START, RateControl


@pytest.fixture(autouse=True)
def applied() -> None:
    rtc_tuning.apply()


async def test_encoded_pictures_pass_through_a_sender_and_its_wishes_come_back() -> None:
    peer, asked, told = RTCPeerConnection(RTCConfiguration(iceServers=[])), [], []
    sender = peer.addTransceiver("video").sender
    sending.send_encoded(sender, lambda: asked.append(1))
    sending.control_rate(sender, RateControl(), told.append)
    encoded = type("Encoded", (), {"payloads": [b"one", b"two"], "timestamp": 2**32 + 7})()

    class Track(MediaStreamTrack):
        kind = "video"

        async def recv(self) -> Any:
            return encoded

    sender.replaceTrack(Track())
    frame = await sender._next_encoded_frame(None)
    assert (frame.payloads, frame.timestamp) == ([b"one", b"two"], 2**32 + 7)
    await sender._handle_rtcp_packet(rtp.RtcpPsfbPacket(fmt=rtp.RTCP_PSFB_PLI, ssrc=1, media_ssrc=sender._ssrc))
    fci = rtp.pack_remb_fci(700_000, [sender._ssrc])
    await sender._handle_rtcp_packet(rtp.RtcpPsfbPacket(fmt=rtp.RTCP_PSFB_APP, ssrc=1, media_ssrc=0, fci=fci))
    assert len(asked) == 1 and abs(told[0] - 700_000) < 1000
    await peer.close()


class Camera(MediaStreamTrack):
    kind = "video"
    number = 0

    async def recv(self) -> av.VideoFrame:
        self.number += 1
        frame = av.VideoFrame(64, 48, "yuv420p")
        frame.pts, frame.time_base = 3000 * self.number, Fraction(1, 90000)
        return frame


async def test_a_sender_nobody_reports_to_slows_down_and_one_that_is_over_its_rate_waits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    peer, now, slept = RTCPeerConnection(RTCConfiguration(iceServers=[])), [100.0], []
    sender: Any = peer.addTransceiver("video").sender

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr(sending.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(sending.asyncio, "sleep", sleep)
    sending.steer(sender)
    sender.replaceTrack(Camera())

    codec = CODECS["video"][0]
    await sender._next_encoded_frame(codec)
    assert sender._RTCRtpSender__encoder.target_bitrate == START
    now[0] += rate.SILENCE_S + 0.1
    await sender._next_encoded_frame(codec)
    assert sender._RTCRtpSender__encoder.target_bitrate == START // 2
    assert slept == [0.0, 0.0]
    sender._RTCRtpSender__encoder.encode = lambda frame, force_keyframe: ([bytes(1_000_000)], 0)
    await sender._next_encoded_frame(codec)
    await sender._next_encoded_frame(codec)
    assert slept[-1] == pytest.approx(8e6 / (rate.SLACK * START / 2) - rate.BURST_S, rel=0.1)
    await peer.close()

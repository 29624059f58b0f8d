"""Somebody watches a session that another made: real connections on loopback."""

import asyncio
from fractions import Fraction
from typing import Any

import av
import pytest
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription

from reverie.client import rtc_tuning
from reverie.server.errors import BadOffer
from reverie.server.metrics import Metrics
from reverie.server.output import Output
from reverie.server.settings import Settings
from reverie.server.sound import Sound
from reverie.server.viewer import Viewer


class Shown:
    """What a viewer needs of a session."""

    def __init__(self) -> None:
        self.output, self.sound = Output(Metrics()), Sound()

    async def play(self) -> None:
        number = 0
        while True:
            frame = av.VideoFrame(320, 240, "yuv420p")
            frame.pts, frame.time_base = number * 3000, Fraction(1, 90000)
            self.output.show(frame)
            number += 1
            await asyncio.sleep(1 / 30)


@pytest.mark.parametrize("codec", ["VP8", "H264"])
async def test_a_viewer_sees_the_session_and_ends_with_it(codec: str) -> None:
    rtc_tuning.apply()
    session: Any = Shown()
    playing, ended = asyncio.create_task(session.play()), asyncio.Event()
    viewer = Viewer(session, Settings(), ended.set)
    peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    tracks: list[Any] = []
    peer.on("track", tracks.append)
    video = peer.addTransceiver("video", direction="recvonly")
    codecs = [
        each for each in __import__("aiortc").RTCRtpReceiver.getCapabilities("video").codecs if codec in each.mimeType
    ]
    video.setCodecPreferences(codecs)
    peer.addTransceiver("audio", direction="recvonly")
    await peer.setLocalDescription(await peer.createOffer())
    answer = await viewer.answer(peer.localDescription.sdp)
    assert answer.count("a=sendonly") == 2
    await peer.setRemoteDescription(RTCSessionDescription(answer, "answer"))
    (track,) = [track for track in tracks if track.kind == "video"]
    frame = await asyncio.wait_for(track.recv(), 10)
    assert (frame.width, frame.height) == (320, 240)
    assert session.output.metrics.registry.get_sample_value("reverie_viewers") == 1
    session.output.close()
    assert ended.is_set()
    await viewer.close()
    assert session.output.metrics.registry.get_sample_value("reverie_viewers") == 0
    playing.cancel()
    await peer.close()


async def test_an_offer_that_cannot_be_answered_leaves_nothing_behind() -> None:
    session: Any = Shown()
    with pytest.raises(BadOffer):
        await Viewer(session, Settings(), lambda: None).answer("v=0")
    assert session.output.metrics.registry.get_sample_value("reverie_viewers") == 0

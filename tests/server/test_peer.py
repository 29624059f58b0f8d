"""The server's end of a connection, met by a real one."""

import asyncio

import pytest
from aiortc import RTCBundlePolicy, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamTrack, VideoStreamTrack
from aiortc.rate import AimdRateControl, BandwidthUsage
from aiortc.rtcdtlstransport import State

from reverie.client import rtc_tuning
from reverie.client.protocol import Candidate
from reverie.client.rate import CEILING
from reverie.server.errors import BadOffer
from reverie.server.peer import Peer, connection
from reverie.server.settings import Settings


def candidate(text: str, line: int | None = 0) -> Candidate:
    return Candidate({"candidate": text, "sdpMLineIndex": line, "sdpMid": None})


async def test_an_offer_is_answered_once_its_track_is_known_and_a_track_is_sent_once() -> None:
    client, tracks = RTCPeerConnection(), []
    peer = Peer(Settings(start_bitrate=1234), tracks.append, lambda: None)
    client.addTrack(VideoStreamTrack())
    await client.setLocalDescription(await client.createOffer())
    sdp = await peer.answer(client.localDescription.sdp)
    assert "x-google-start-bitrate=1234" in sdp
    assert [track.kind for track in tracks] == ["video"]
    out = VideoStreamTrack()
    assert peer.send(out) and not peer.send(out)
    await peer.close()
    await client.close()


@pytest.mark.parametrize("sdp", ["", "v=0", "nonsense", "v=0\r\nm=video\r\n"])
async def test_nonsense_is_a_bad_offer(sdp: str) -> None:
    peer = Peer(Settings(), lambda track: None, lambda: None)
    with pytest.raises(BadOffer):
        await peer.answer(sdp)
    await peer.close()


@pytest.mark.parametrize(
    "text, line", [("candidate:", 0), ("x y z", 0), ("candidate:1 1 udp 1 127.0.0.1 9 typ host", None)]
)
async def test_a_candidate_that_cannot_be_read_is_refused(text: str, line: int | None) -> None:
    peer = Peer(Settings(), lambda track: None, lambda: None)
    with pytest.raises(ValueError, match="candidate"):
        await peer.add_candidate(candidate(text, line))
    await peer.close()


async def test_a_connection_that_fails_is_told() -> None:
    failed = asyncio.Event()
    peer = Peer(Settings(), lambda track: None, failed.set)
    connection = peer._connection
    connection._RTCPeerConnection__connectionState = "failed"  # type: ignore[attr-defined]  what ICE does after 30 s
    connection.emit("connectionstatechange")
    await asyncio.wait_for(failed.wait(), 5)
    await peer.close()


async def test_a_track_that_is_agreed_on_during_the_handshake_of_a_data_channel_is_received() -> None:
    tracks: list[MediaStreamTrack] = []
    client, peer = (connection(Settings(), RTCBundlePolicy.MAX_BUNDLE) for _ in range(2))
    held = asyncio.Event()
    peer.on("track", tracks.append)
    shaking = asyncio.Event()

    async def agree() -> None:
        await client.setLocalDescription(await client.createOffer())
        await peer.setRemoteDescription(client.localDescription)
        await peer.setLocalDescription(await peer.createAnswer())
        await client.setRemoteDescription(peer.localDescription)

    client.createDataChannel("data")
    await client.setLocalDescription(await client.createOffer())
    await peer.setRemoteDescription(client.localDescription)
    await peer.setLocalDescription(await peer.createAnswer())
    transport = peer.sctp.transport
    start = transport.start

    async def long_handshake(parameters: object) -> None:
        transport._set_state(State.CONNECTING)
        shaking.set()
        await held.wait()
        transport._set_state(State.NEW)
        await start(parameters)

    transport.start = long_handshake
    await client.setRemoteDescription(peer.localDescription)
    await asyncio.wait_for(shaking.wait(), 30)
    client.addTrack(VideoStreamTrack())
    await agree()
    held.set()
    assert (await asyncio.wait_for(tracks[0].recv(), 30)).width == 640
    await client.close()
    await peer.close()


async def test_a_sender_on_this_machine_is_never_slowed_down_and_one_elsewhere_is() -> None:
    """What comes late waited for a processor: no link between the two can be full."""
    rtc_tuning.apply()
    client = RTCPeerConnection()
    client.addTrack(VideoStreamTrack())
    await client.setLocalDescription(await client.createOffer())
    peer = Peer(Settings(), lambda track: None, lambda: None)
    answer = await peer.answer(client.localDescription.sdp)
    await client.setRemoteDescription(RTCSessionDescription(answer, "answer"))
    await asyncio.wait_for(peer.connected.wait(), 30)
    (receiver,) = peer._connection.getReceivers()
    here, elsewhere = receiver._RTCRtpReceiver__remote_bitrate_estimator.rate_control, AimdRateControl()  # type: ignore
    for _ in range(3000):  # it is told once the connection stands, as we are
        if here.floor:
            break
        await asyncio.sleep(0.01)
    for control in (here, elsewhere):
        for second in range(10):
            control.update(BandwidthUsage.OVERUSING, 100_000, 1000 * second)
    assert elsewhere.current_bitrate < 200_000 < CEILING == here.current_bitrate
    await peer.close()
    await client.close()

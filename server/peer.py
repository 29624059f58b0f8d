"""The server's end of one WebRTC connection."""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Callable, Sequence

from aiortc import (
    RTCBundlePolicy,
    RTCPeerConnection,
    RTCRtpSender,
    RTCSessionDescription,
)
from aiortc.mediastreams import MediaStreamTrack
from aiortc.sdp import candidate_from_sdp

from reverie.client.protocol import Candidate
from reverie.client.rate import START_NEAR, RateControl
from reverie.client.rtc_tuning import hint_bitrate, trust_uplink
from reverie.client.sending import control_rate, peer_host, send_encoded
from reverie.server import ice_restart
from reverie.server.errors import BadOffer
from reverie.server.gathering import NodePeerConnection, reach
from reverie.server.output import Reader
from reverie.server.packets import send_quickly
from reverie.server.settings import Settings
from reverie.server.sound import Ear


def connection(settings: Settings, bundle: RTCBundlePolicy = RTCBundlePolicy.BALANCED) -> RTCPeerConnection:
    """One that can be reached as the operator says."""
    made = NodePeerConnection(reach(settings), bundle)

    async def on_state() -> None:
        if made.connectionState == "connected":
            trust_uplink(made)
            await made._RTCPeerConnection__connect()  # type: ignore[attr-defined]

    # tracks that are agreed on during a handshake for data alone are never started by aiortc; again, it starts them
    made.on("connectionstatechange", on_state)
    return made


def agree(connection: RTCPeerConnection) -> None:
    """Once codecs are known: encoded pictures go as they are, in that codec, and so does Opus."""
    trust_uplink(connection)  # also of a track that comes to a connection that stands
    for transceiver in connection.getTransceivers():
        sender, track = transceiver.sender, transceiver.sender.track
        codec = transceiver._codecs[0].mimeType.split("/")[1].upper() if transceiver._codecs else ""
        if isinstance(track, Ear) and not track.opus and codec == "OPUS":
            track.take_opus()
            send_encoded(sender, lambda: None)
            send_quickly(sender)
        elif isinstance(track, Reader) and codec:
            known, track.codec = track.codec, codec
            if not known:
                send_encoded(sender, track.ask_keyframe)
                send_quickly(sender)
                _follow(connection, sender, track)


def _follow(connection: RTCPeerConnection, sender: RTCRtpSender, reader: Reader) -> None:
    """Quality follows the link, from a quicker start where the peer is near."""
    control = RateControl()

    def begin() -> None:
        if connection.connectionState == "connected" and near(peer_host(sender)):
            control.begin(START_NEAR)
            reader.allow(control.bitrate)

    connection.on("connectionstatechange", begin)
    begin()  # a track may come to a connection that stands
    control_rate(sender, control, reader.allow)


def near(host: str) -> bool:
    """Whether an address is of this machine or a private network."""
    try:
        return ipaddress.ip_address(host).is_private
    except ValueError:
        return False


async def add_candidate(connection: RTCPeerConnection, message: Candidate) -> None:
    """Raises ValueError if the candidate cannot be read."""
    if message.candidate is None or not message.candidate["candidate"]:
        return
    text = message.candidate["candidate"]
    try:
        candidate = candidate_from_sdp(text.removeprefix("candidate:"))
    except (ValueError, IndexError, AssertionError):
        raise ValueError(f"the candidate cannot be read: {text[:100]!r}") from None
    candidate.sdpMLineIndex, candidate.sdpMid = message.candidate["sdpMLineIndex"], message.candidate["sdpMid"]
    if candidate.sdpMid is None and candidate.sdpMLineIndex is None:
        raise ValueError("a candidate needs sdpMid or sdpMLineIndex")
    await connection.addIceCandidate(candidate)


class Peer:
    """Answers one offer."""

    def __init__(
        self, settings: Settings, on_track: Callable[[MediaStreamTrack], None], on_failed: Callable[[], None],
        on_closed: Callable[[], None] = lambda: None, connected: asyncio.Event | None = None,
    ) -> None:  # fmt: skip
        """
        Args:
            on_track: called with each track of the client.
            on_failed: called when the media cannot flow.
            on_closed: called when the client has hung up.
            connected: set when media can flow.
        """
        self.connected = connected or asyncio.Event()
        self._start_bitrate, self._on_failed, self._on_closed = settings.start_bitrate, on_failed, on_closed
        self._closing = False
        self._connection = connection(settings)
        self._connection.on("track", on_track)
        self._connection.on("connectionstatechange", self._on_state)

    async def answer(self, sdp: str, shows: Sequence[MediaStreamTrack] = ()) -> str:
        """The answer's SDP, all candidates inside.  Raises BadOffer.

        Args: shows: tracks to send, whether or not the client sends any.
        """
        connection = self._connection
        try:
            await connection.setRemoteDescription(RTCSessionDescription(sdp, "offer"))
            if not any(transceiver.kind == "video" for transceiver in connection.getTransceivers()):
                raise BadOffer("the offer has no video")
            for track in shows:
                self.send(track)
            await connection.setLocalDescription(await connection.createAnswer())
        except BadOffer:
            raise
        except Exception as error:  # foreign SDP: aiortc answers nonsense with whatever it trips over
            raise BadOffer(f"the offer cannot be answered: {type(error).__name__}: {str(error)[:200]}") from None
        agree(connection)
        return hint_bitrate(connection.localDescription.sdp, self._start_bitrate)

    async def add_candidate(self, message: Candidate) -> None:
        """Raises ValueError if the candidate cannot be read."""
        await add_candidate(self._connection, message)

    def restart(self, ufrag: str, password: str) -> str:
        """Take the client's new credentials of ICE; returns ours with our candidates, as a fragment of SDP."""
        return ice_restart.renew(self._connection, ufrag, password)

    def send(self, track: MediaStreamTrack) -> bool:
        """Send a track to the client; False if it is sent already."""
        if any(sender.track is track for sender in self._connection.getSenders()):
            return False
        self._connection.addTrack(track)
        return True

    async def close(self) -> None:
        self._closing = True
        await self._connection.close()

    async def _on_state(self) -> None:
        state = self._connection.connectionState
        if state == "connected":
            self.connected.set()
        elif state == "failed":
            self._on_failed()
        elif state == "closed" and not self._closing:
            self._on_closed()

"""One LiveKit client of a room: its peer connections, what it sends to the session and what it is shown."""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
from collections.abc import Callable
from typing import Any

from aiortc import RTCBundlePolicy, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamTrack
from livekit.protocol import models, rtc

from reverie.client import holds
from reverie.client.protocol import Candidate, Failure
from reverie.client.rtc_tuning import hint_bitrate
from reverie.server import ice_restart
from reverie.server.errors import BadOffer
from reverie.server.ice import ice_servers
from reverie.server.livekit_sdp import prefer, take_top_layer
from reverie.server.output import Reader
from reverie.server.peer import add_candidate, agree, connection
from reverie.server.rooms import Room
from reverie.server.settings import Settings

log = logging.getLogger(__name__)
PING_S, PING_TIMEOUT_S = 5, 15
START_BITRATE = 3500  # kb/s; what Decart's SDK calls good
TIMES = models.PacketTrailerFeature.PTF_USER_TIMESTAMP
VERSION = "1.10.0"
SERVER = models.ServerInfo(version=VERSION, protocol=16, region="local")  # clients look up features by these


class Participant:
    """Owner of the peer connections of one client: one that does everything (v1), or one for each direction (v0)."""

    def __init__(
        self, room: Room, publishes: bool, settings: Settings, send: Callable[[rtc.SignalResponse | None], None], *,
        single: bool,
    ) -> None:  # fmt: skip
        """Args: send: queues a message, None for the last; never waits."""
        self.room, self.publishes, self.send = room, publishes, send
        self._settings, self._single = settings, single
        self._sid = f"PA_{secrets.token_hex(6)}"
        self._publisher = self._open()  # the client offers
        self._subscriber = None if single else self._open()  # we offer
        self._offers, self._owed = 0, False
        self._tracks: dict[str, MediaStreamTrack] = {}  # that we show, by kind
        self._codecs: list[str] = []  # that the client wants to send, in the order of its tracks
        self._kinds: set[str] = set()  # that it sends
        self._timer: asyncio.TimerHandle | None = None
        self._closing: asyncio.Task[None] | None = None
        self._closed = False
        self._forget = room.session.output.when_closed(self._over)

    async def join(self, offer: rtc.SessionDescription | None) -> None:
        """Welcome the client; the one that was at its place goes.  Raises BadOffer."""
        if self.publishes:
            if self.room.at_place is not None:
                await self.room.at_place.close()
            self.room.at_place = self
        self.room.participants[self._sid] = self
        self.send(rtc.SignalResponse(join=self._welcome()))
        if offer is not None:
            await self._answer(offer)
        if self._subscriber is not None:
            await self._offer()

    async def resume(self, send: Callable[[rtc.SignalResponse | None], None]) -> None:
        """Go on with another socket, in place of the one before; media has gone on."""
        self.send(None)
        self.send = send
        if self._timer is not None:
            self._timer.cancel()
        self.send(rtc.SignalResponse(reconnect=rtc.ReconnectResponse(ice_servers=self._servers(), server_info=SERVER)))
        self._tell_host()  # LiveKit's Rust client gives participants up that it is not told of again
        if self._subscriber is not None:
            await self._offer()

    async def handle(self, kind: str | None, request: rtc.SignalRequest) -> None:
        """Raises BadOffer."""
        match kind:
            case "offer":
                await self._answer(request.offer)
            case "answer" if self._subscriber is not None:
                await self._answered(request.answer)
            case "trickle":
                await self._trickled(request.trickle)
            case "add_track":
                self._add_track(request.add_track)
            case _:
                pass  # mute, layers, subscriptions: nothing of it changes what we do

    def refuse(self, reason: str) -> None:
        """The client is told on both sockets, in words on the one that has words."""
        if self.publishes:
            self.room.tell(Failure(reason, BadOffer.code))
        self.send(rtc.SignalResponse(leave=rtc.LeaveRequest(reason=models.DisconnectReason.MEDIA_FAILURE)))

    def close_later(self, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(seconds, self._start_close)

    async def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        self._forget()
        if self._timer is not None:
            self._timer.cancel()
        if self.room.at_place is self:
            self.room.at_place = None
        self.room.participants.pop(self._sid, None)
        for each in (self._publisher, self._subscriber):
            if each is not None:
                await each.close()
        for track in self._tracks.values():
            track.stop()

    def _open(self) -> RTCPeerConnection:
        opened = connection(self._settings, RTCBundlePolicy.MAX_BUNDLE)  # else a late section has a dead transport
        opened.on("track", self._on_track)
        opened.on("connectionstatechange", lambda: self._on_state(opened))
        return opened

    def _welcome(self) -> rtc.JoinResponse:
        may = models.ParticipantPermission(can_subscribe=True, can_publish=self.publishes, can_publish_data=True)
        me = models.ParticipantInfo(
            sid=self._sid, identity=f"client-{secrets.token_hex(6)}", permission=may,
            state=models.ParticipantInfo.State.ACTIVE,
        )  # fmt: skip
        codecs = [models.Codec(mime=mime) for mime in ("video/H264", "video/VP8", "audio/opus")]
        return rtc.JoinResponse(
            room=models.Room(sid=self.room.sid, name=self.room.name), participant=me,
            other_participants=[self._host()], subscriber_primary=not self._single, fast_publish=self._single,
            ping_interval=PING_S, ping_timeout=PING_TIMEOUT_S, server_version=VERSION,
            ice_servers=self._servers(), server_info=SERVER,
            enabled_publish_codecs=codecs,
        )  # fmt: skip

    def _servers(self) -> list[rtc.ICEServer]:
        return [
            rtc.ICEServer(urls=[each.url], username=each.username, credential=each.credential)
            for each in ice_servers(self._settings)
        ]

    def _host(self) -> models.ParticipantInfo:
        """We, with the tracks that are there."""
        room = self.room
        tracks = [
            models.TrackInfo(
                sid=room.video_sid, type=models.VIDEO, name="output", source=models.CAMERA,
                packet_trailer_features=[TIMES] if room.trailers is not None and self.publishes else [],
            )
        ]  # fmt: skip
        if room.sound:
            tracks.append(
                models.TrackInfo(sid=room.audio_sid, type=models.AUDIO, name="sound", source=models.MICROPHONE)
            )
        return models.ParticipantInfo(
            sid=room.host_sid, identity=room.host, name="Reverie", state=models.ParticipantInfo.State.ACTIVE,
            is_publisher=True, tracks=tracks,
        )  # fmt: skip

    def _tell_host(self) -> None:
        self.send(rtc.SignalResponse(update=rtc.ParticipantUpdate(participants=[self._host()])))

    def _track(self, kind: str) -> MediaStreamTrack:
        if kind not in self._tracks:
            session = self.room.session
            self._tracks[kind] = self._reader() if kind == "video" else session.sound.listen()
        return self._tracks[kind]

    def _reader(self) -> Reader:
        reader = self.room.session.output.reader()
        reader.trailers = self.room.trailers if self.publishes else None
        return reader

    def _name(self, sender: Any, kind: str) -> None:
        """A client knows whose track it is by the stream's name, and which by the track's."""
        sid = self.room.video_sid if kind == "video" else self.room.audio_sid
        sender._stream_id, sender._track_id = f"{self.room.host_sid}|{sid}", sid

    async def _answer(self, offer: rtc.SessionDescription) -> None:
        peer = self._publisher
        try:
            await peer.setRemoteDescription(RTCSessionDescription(offer.sdp, "offer"))
            ice_restart.follow(peer)
            shown = self._show_in(peer) if self._single else {}
            self._order_codecs(peer)
            await peer.setLocalDescription(await peer.createAnswer())
        except Exception as error:  # foreign SDP: aiortc answers nonsense with whatever it trips over
            reason = "this server takes H.264 and VP8" if "VP8" not in offer.sdp and "H264" not in offer.sdp else error
            raise BadOffer(f"the offer cannot be answered: {str(reason)[:200] or type(error).__name__}") from None
        agree(peer)
        sdp = take_top_layer(offer.sdp, peer.localDescription.sdp)
        sdp = hint_bitrate(sdp, max(START_BITRATE, self._settings.start_bitrate))
        answer = rtc.SessionDescription(type="answer", sdp=sdp, id=offer.id, mid_to_track_id=shown)
        self.send(rtc.SignalResponse(answer=answer))

    def _show_in(self, peer: RTCPeerConnection) -> dict[str, str]:
        """Put our tracks into the first sections that wait for some; what is shown by section."""
        shown = {}
        for kind in ("video", "audio") if self.room.sound else ("video",):
            for each in peer.getTransceivers():
                mine = kind in self._tracks and each.sender.track is self._tracks[kind]
                free = kind not in self._tracks and each.kind == kind and each._offerDirection == "sendonly"
                if free:
                    each.sender.replaceTrack(self._track(kind))
                    each.direction = "sendonly"
                    self._name(each.sender, kind)
                if mine or free:
                    shown[each.mid] = self.room.video_sid if kind == "video" else self.room.audio_sid
        return shown

    def _order_codecs(self, peer: RTCPeerConnection) -> None:
        """The first codec of a section in the answer is the one that is sent in it."""
        wanted = iter(self._codecs)
        for each in peer.getTransceivers():
            if each.kind != "video":
                continue
            sends = each._offerDirection in ("recvonly", "sendrecv")  # as we would answer
            codec = self.room.codec if each.sender.track is not None else next(wanted, "") if sends else ""
            if codec:
                # preferred as well: aiortc may begin to send between a later offer and its answer, in that order
                each._codecs = each._preferred_codecs = prefer(each._codecs, codec)

    async def _offer(self) -> None:
        peer = self._subscriber
        assert peer is not None
        self._owed = peer.signalingState != "stable"  # one offer at a time: the next one after its answer
        if self._owed:
            return
        for kind in ("video", "audio") if self.room.sound else ("video",):
            if kind not in self._tracks:
                each = peer.addTransceiver(self._track(kind), direction="sendonly")
                self._name(each.sender, kind)
        if not self._offers:  # after the media: as the first section aiortc never connects it
            peer.createDataChannel("_reliable")
        self._offers += 1
        await peer.setLocalDescription(await peer.createOffer())
        offer = rtc.SessionDescription(type="offer", sdp=peer.localDescription.sdp, id=self._offers)
        self.send(rtc.SignalResponse(offer=offer))

    async def _answered(self, answer: rtc.SessionDescription) -> None:
        assert self._subscriber is not None
        try:
            await self._subscriber.setRemoteDescription(RTCSessionDescription(answer.sdp, "answer"))
        except Exception as error:  # foreign SDP, as above
            raise BadOffer(f"the answer cannot be used: {type(error).__name__}: {str(error)[:200]}") from None
        agree(self._subscriber)
        if self._owed:
            await self._offer()

    async def _trickled(self, trickle: rtc.TrickleRequest) -> None:
        to_us = trickle.target == rtc.SignalTarget.SUBSCRIBER and self._subscriber is not None
        peer = self._subscriber if to_us else self._publisher
        assert peer is not None
        try:
            candidate = holds.candidate(json.loads(trickle.candidateInit or "null"))
            await add_candidate(peer, Candidate(candidate))
        except (ValueError, RecursionError) as error:
            log.debug("a candidate is left out: %s", error)

    def _add_track(self, wanted: rtc.AddTrackRequest) -> None:
        if not self.publishes:
            return
        if wanted.type == models.VIDEO:
            self._codecs += [wanted.simulcast_codecs[0].codec if wanted.simulcast_codecs else ""]
        elif not self.room.sound:
            self.room.sound = True  # it comes back: our participant has a second track from now on
            self._tell_host()
        info = models.TrackInfo(
            sid=f"TR_{secrets.token_hex(6)}", type=wanted.type, name=wanted.name, source=wanted.source,
            width=wanted.width, height=wanted.height, packet_trailer_features=wanted.packet_trailer_features,
        )  # fmt: skip
        self.send(rtc.SignalResponse(track_published=rtc.TrackPublishedResponse(cid=wanted.cid, track=info)))

    def _on_track(self, track: MediaStreamTrack) -> None:
        """The first track of a kind is the session's camera or sound."""
        if not self.publishes or track.kind in self._kinds:
            return track.stop()
        self._kinds.add(track.kind)
        if track.kind == "video" and self.room.trailers is not None:
            self.room.trailers.listen(next(r for r in self._publisher.getReceivers() if r.track is track))
        self.room.session.take(track)
        if track.kind == "audio" and self._subscriber is not None:
            self._closing = asyncio.get_running_loop().create_task(self._offer())

    def _on_state(self, peer: RTCPeerConnection) -> None:
        if peer.connectionState == "failed" and not self._closed and self.publishes:
            self.room.session.media_failed()

    def _over(self) -> None:
        reason = models.DisconnectReason.ROOM_DELETED
        self.send(rtc.SignalResponse(leave=rtc.LeaveRequest(reason=reason, action=rtc.LeaveRequest.Action.DISCONNECT)))
        self._start_close()

    def _start_close(self) -> None:
        self._closing = asyncio.get_running_loop().create_task(self.close())

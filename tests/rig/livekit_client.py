"""A LiveKit client on aiortc, in both forms of the signalling; the messages are LiveKit's own classes."""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

import av
import numpy as np
import websockets
from aiortc import RTCBundlePolicy, RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack
from livekit.protocol import models, rtc

SIGNAL = rtc.SignalRequest


class RoomClient:
    """`joined` it is told everything that comes; `colours` are the means of the frames it sees."""

    def __init__(self, url: str, token: str, single: bool) -> None:
        self.url, self.token, self.single = url, token, single
        self.told: list[rtc.SignalResponse] = []
        self.colours: list[np.ndarray[Any, Any]] = []
        self.kinds: list[str] = []
        self.streams: list[str] = []
        self.size = (0, 0)
        self._tasks: list[asyncio.Task[None]] = []
        self._offers = 0
        self.main, self.other = self._peer(), None if single else self._peer()

    async def join(self) -> None:
        if self.single:
            self.main.addTransceiver("audio", direction="recvonly")
            self.main.addTransceiver("video", direction="recvonly")
            self.main.createDataChannel("_reliable")
            await self.main.setLocalDescription(await self.main.createOffer())
            await self._open(rtc.JoinRequest(publisher_offer=self._description()))
        else:
            await self._open(rtc.JoinRequest())

    async def resume(self, sid: str) -> None:
        """Another socket for the peer connections that stand."""
        await self._open(rtc.JoinRequest(reconnect=True, participant_sid=sid))

    async def publish(self, tracks: Sequence[MediaStreamTrack]) -> None:
        peer = self.main if self.single else self.other
        assert peer is not None
        await self.until(lambda: peer.signalingState == "stable")  # one offer at a time
        for number, track in enumerate(tracks):
            kind = models.VIDEO if track.kind == "video" else models.AUDIO
            await self.send(add_track=rtc.AddTrackRequest(cid=f"c{number}", type=kind, name="camera"))
            peer.addTransceiver(track, direction="sendonly")
        await peer.setLocalDescription(await peer.createOffer())
        await self.send(offer=self._description(peer))

    async def send(self, **message: Any) -> None:
        await self.socket.send(SIGNAL(**message).SerializeToString())

    def heard(self, kind: str) -> list[Any]:
        return [getattr(each, kind) for each in self.told if each.WhichOneof("message") == kind]

    async def until(self, true: Any, limit_s: float = 15.0) -> None:
        async with asyncio.timeout(limit_s):
            while not true():
                await asyncio.sleep(0.02)

    async def close(self, *, goodbye: bool = True) -> None:
        if goodbye and self.socket.state is websockets.State.OPEN:
            await self.send(leave=rtc.LeaveRequest())
        await self.socket.close()
        for each in (self.main, self.other):
            if each is not None:
                await each.close()
        for task in self._tasks:
            task.cancel()

    async def _open(self, asked: rtc.JoinRequest) -> None:
        packed = gzip.compress(asked.SerializeToString())
        wrapped = rtc.WrappedJoinRequest(compression=1, join_request=packed).SerializeToString()
        v1 = f"/rtc/v1?access_token={self.token}&join_request={quote(base64.b64encode(wrapped).decode())}"
        v0 = f"/rtc?access_token={self.token}&reconnect={int(asked.reconnect)}&sid={asked.participant_sid}"
        self.socket = await websockets.connect(self.url.replace("http", "ws") + (v1 if self.single else v0))
        self._start(self._read(self.socket))

    def _peer(self) -> RTCPeerConnection:
        peer = RTCPeerConnection(RTCConfiguration(iceServers=[], bundlePolicy=RTCBundlePolicy.MAX_BUNDLE))
        peer.on("track", self._on_track)
        return peer

    def _description(self, peer: RTCPeerConnection | None = None) -> rtc.SessionDescription:
        self._offers += 1
        sdp = (peer or self.main).localDescription.sdp
        return rtc.SessionDescription(type="offer", sdp=sdp, id=self._offers)

    def _start(self, work: Any) -> None:
        self._tasks.append(asyncio.create_task(work))

    def _on_track(self, track: MediaStreamTrack) -> None:
        self.kinds.append(track.kind)
        self._start(self._watch(track))

    async def _watch(self, track: MediaStreamTrack) -> None:
        try:
            while True:
                frame = await track.recv()
                if isinstance(frame, av.VideoFrame):
                    self.size = frame.width, frame.height
                    self.colours.append(frame.to_ndarray(format="rgb24").mean((0, 1)))
        except MediaStreamError:
            return

    async def _read(self, socket: websockets.ClientConnection) -> None:
        async for packet in socket:
            assert isinstance(packet, bytes)
            message = rtc.SignalResponse()
            message.ParseFromString(packet)
            self.told.append(message)
            if message.WhichOneof("message") == "answer":
                peer = self.main if self.single else self.other
                assert peer is not None
                await peer.setRemoteDescription(RTCSessionDescription(message.answer.sdp, "answer"))
            elif message.WhichOneof("message") == "offer":
                await self.main.setRemoteDescription(RTCSessionDescription(message.offer.sdp, "offer"))
                await self.main.setLocalDescription(await self.main.createAnswer())
                answer = rtc.SessionDescription(type="answer", sdp=self.main.localDescription.sdp, id=message.offer.id)
                await self.send(answer=answer)


async def room_of(
    socket: websockets.ClientConnection, *first: dict[str, Any]
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Join as Decart's SDKs do; the room's info, and all that was told before it."""
    for message in ({"type": "livekit_join", "passthrough": not first}, *first):
        await socket.send(json.dumps(message))
    told = []
    while True:
        told.append(json.loads(await asyncio.wait_for(socket.recv(), 10)))
        if told[-1]["type"] == "livekit_room_info":
            return told[-1], told

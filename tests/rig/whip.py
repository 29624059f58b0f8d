"""A WHIP publisher and a WHEP viewer of aiortc and httpx, for tests."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import av
import httpx
import numpy as np
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import AudioStreamTrack, MediaStreamError, VideoStreamTrack

from reverie.client import rtc_tuning

CAMERA = (200, 60, 60)


class Camera(VideoStreamTrack):
    """A flat colour at 30 fps, 320x240."""

    async def recv(self) -> av.VideoFrame:
        pts, time_base = await self.next_timestamp()
        frame = av.VideoFrame.from_ndarray(np.full((240, 320, 3), CAMERA, np.uint8), "rgb24").reformat(format="yuv420p")
        frame.pts, frame.time_base = pts, time_base
        assert time_base == Fraction(1, 90000)
        return frame


@dataclass
class Call:
    http: httpx.AsyncClient
    created: httpx.Response
    peer: RTCPeerConnection
    colours: list[np.ndarray] = field(default_factory=list)
    sounds: int = 0

    @property
    def location(self) -> str:
        return self.created.headers["location"]

    async def sees(self, colour: tuple[int, int, int], timeout_s: float = 10.0) -> None:
        for _ in range(int(timeout_s / 0.02)):
            if self.colours and np.abs(self.colours[-1] - colour).max() < 25:
                return
            await asyncio.sleep(0.02)
        raise AssertionError((colour, self.colours[-2:]))

    async def watch(self, track: Any) -> None:
        try:
            while True:
                frame = await track.recv()
                if track.kind == "audio":
                    self.sounds += 1
                else:
                    self.colours.append(frame.to_ndarray(format="rgb24").mean((0, 1)))
        except MediaStreamError:
            pass


async def offer_of(peer: RTCPeerConnection, sends: bool, tracks: Mapping[str, Any] | None = None) -> str:
    for kind in ("audio", "video"):
        transceiver = peer.addTransceiver(kind, direction="sendonly" if sends else "recvonly")
        if sends:
            own = tracks[kind] if tracks is not None else AudioStreamTrack() if kind == "audio" else Camera()
            transceiver.sender.replaceTrack(own)
    await peer.setLocalDescription(await peer.createOffer())
    return str(peer.localDescription.sdp)


@asynccontextmanager
async def call(
    url: str, path: str, sends: bool, *, tracks: Mapping[str, Any] | None = None,
    watch: Callable[[Any], Coroutine[Any, Any, None]] | None = None, **headers: str,
) -> AsyncIterator[Call]:  # fmt: skip
    """Connect by POST; DELETE at the end.  Raises AssertionError with the answer if it is not 201.

    Args: tracks: sent instead of a flat colour and silence, by kind.  watch: takes each track instead of `Call`.
    """
    rtc_tuning.apply()
    peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    watching: list[asyncio.Task[None]] = []
    async with httpx.AsyncClient(base_url=url, headers=headers) as http:
        try:
            created = await http.post(
                path, content=await offer_of(peer, sends, tracks), headers={"content-type": "application/sdp"}
            )
            assert created.status_code == 201, (created.status_code, created.text)
            made = Call(http, created, peer)
            peer.on("track", lambda track: watching.append(asyncio.create_task((watch or made.watch)(track))))
            await peer.setRemoteDescription(RTCSessionDescription(created.text, "answer"))
            yield made
            await http.delete(made.location)
        finally:
            for task in watching:
                task.cancel()
            await peer.close()

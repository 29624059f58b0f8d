"""Viewers of the plain WebRTC generation."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import websockets
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack

SLOW_S = 30.0


def at(server: Any, session: str) -> Any:
    return websockets.connect(f"{server.url.replace('http', 'ws')}/subscribe/{session}?IP=127.0.0.1&port=1&api_key=k")


async def told(socket: Any, kind: str) -> dict[str, Any]:
    while True:
        message = json.loads(await asyncio.wait_for(socket.recv(), SLOW_S))
        if message["type"] == kind:
            return dict(message)


async def test_a_viewer_sees_the_session_until_it_ends(server: Any, call: Callable[[str], Any]) -> None:
    seen: list[np.ndarray] = []

    async def watch(track: MediaStreamTrack) -> None:
        try:
            while True:
                seen.append((await track.recv()).to_ndarray(format="rgb24").mean((0, 1)))  # type: ignore[union-attr]
        except MediaStreamError:
            return

    async with call("green") as client:
        session = next(each["session_id"] for each in client.told if each["type"] == "session_id")
        async with at(server, session) as socket:
            peer, tasks = RTCPeerConnection(RTCConfiguration(iceServers=[])), []
            peer.on(
                "track",
                lambda track: tasks.append(asyncio.create_task(watch(track))) if track.kind == "video" else None,
            )
            for kind in ("video", "audio"):
                peer.addTransceiver(kind, direction="recvonly")
            await socket.send(json.dumps({"type": "prompt", "prompt": "red"}))
            assert "no prompt" in (await told(socket, "error"))["error"]
            await socket.send(json.dumps({"type": "ice-candidate", "candidate": None}))
            await peer.setLocalDescription(await peer.createOffer())
            await socket.send(json.dumps({"type": "offer", "sdp": peer.localDescription.sdp}))
            await peer.setRemoteDescription(RTCSessionDescription((await told(socket, "answer"))["sdp"], "answer"))
            await client.until(lambda: seen and np.abs(seen[-1] - (11, 195, 39)).max() < 25, SLOW_S)
            await client.socket.close()
            await asyncio.wait_for(socket.wait_closed(), SLOW_S)
            assert socket.close_reason == "the session has ended"
            await peer.close()
            await asyncio.gather(*tasks)


async def test_a_session_that_is_not_there_is_refused_for_good(server: Any) -> None:
    async with at(server, "0" * 32) as socket:
        assert "invalid session" in (await told(socket, "error"))["error"]  # words that end the SDKs' trying
        await asyncio.wait_for(socket.wait_closed(), SLOW_S)
        assert (socket.close_code, socket.close_reason) == (1008, "no_session")

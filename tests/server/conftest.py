"""A real server process with the toy model, and a real aiortc client with a camera of its own."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import av
import numpy as np
import pytest
import websockets
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack, VideoStreamTrack

from reverie.client import rtc_tuning

CAMERA = (200, 60, 60)  # the flat colour before the camera


@dataclass
class Server:
    url: str  # http://127.0.0.1:PORT
    process: subprocess.Popen[str]
    log: Path

    def metrics(self) -> dict[str, float]:
        """Samples by name and labels."""
        text = self.get("/metrics")[1]
        return {name: float(value) for name, value in re.findall(r"^reverie_(\S+) (\S+)$", text, re.M)}

    def get(self, path: str) -> tuple[int, str]:
        """Status and text."""
        try:
            with urlopen(f"{self.url}{path}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def post(self, path: str) -> dict[str, Any]:
        """What an empty request is answered.  Raises HTTPError."""
        with urlopen(Request(f"{self.url}{path}", data=b"", method="POST"), timeout=5) as answer:
            return dict(json.loads(answer.read()))


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """`reverie serve` with the toy model, three sessions at most."""
    command = [sys.executable, "-m", "reverie.server", "serve", "--port", "0", "--model", "toy", "--max-sessions", "3"]
    folder = tmp_path_factory.mktemp("server")
    log = folder / "log"
    environment = {**os.environ, "REVERIE_DATA": str(folder)}
    with log.open("w") as written:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=written, text=True, env=environment)
    assert process.stdout is not None
    said = re.search(r"http://\S+", process.stdout.readline())
    assert said
    url = said[0]
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            if urlopen(f"{url}/readyz", timeout=2).status == 200:
                break
        except OSError:
            time.sleep(0.05)
    yield Server(url, process, log)
    process.terminate()
    code = process.wait(10)
    process.stdout.close()
    assert code == 0


class Camera(VideoStreamTrack):
    """A flat colour at 30 fps, 320x240; its frames are counted."""

    async def recv(self) -> av.VideoFrame:
        pts, time_base = await self.next_timestamp()
        frame = av.VideoFrame.from_ndarray(np.full((240, 320, 3), CAMERA, np.uint8), "rgb24").reformat(format="yuv420p")
        frame.pts, frame.time_base = pts, time_base
        assert time_base == Fraction(1, 90000)
        return frame


@dataclass
class Call:
    """One client: its socket, what it was told, what it sees."""

    socket: websockets.ClientConnection
    told: list[dict[str, Any]] = field(default_factory=list)
    seen: list[tuple[float, int, np.ndarray]] = field(default_factory=list)  # time, pts, mean colour

    async def say(self, **message: Any) -> None:
        await self.socket.send(json.dumps(message))

    async def until(self, true: Any, timeout_s: float = 10.0) -> None:
        """Wait until `true()`; it says what was told when it never is."""
        deadline = time.monotonic() + timeout_s
        while not true():
            assert time.monotonic() < deadline, (self.told[-5:], [s[2].round() for s in self.seen[-2:]])
            await asyncio.sleep(0.02)

    def heard(self, kind: str, **fields: Any) -> bool:
        return any(m["type"] == kind and fields.items() <= m.items() for m in self.told)

    async def sees(self, colour: tuple[int, int, int], timeout_s: float = 10.0) -> None:
        """Wait until the newest frame is about that colour."""
        await self.until(lambda: self.seen and np.abs(self.seen[-1][2] - colour).max() < 25, timeout_s)


@pytest.fixture
def camera() -> type[Camera]:
    return Camera


@pytest.fixture
def call(server: Server) -> Callable[[str | None], AbstractAsyncContextManager[Call]]:
    """`async with call(prompt) as client`: a client with its own camera; None is no look."""
    return lambda prompt: _call(server.url, prompt)


@pytest.fixture
def call_at() -> Callable[[str, str | None], AbstractAsyncContextManager[Call]]:
    """`call`, of the server at an address."""
    return _call


@asynccontextmanager
async def _call(url: str, prompt: str | None) -> AsyncIterator[Call]:
    """Connect as a client of the plain WebRTC form does: initial state, its ack, then the offer."""
    rtc_tuning.apply()
    async with websockets.connect(url.replace("http", "ws") + "/v1/stream") as socket:
        client, peer = Call(socket), RTCPeerConnection(RTCConfiguration(iceServers=[]))
        reading = asyncio.create_task(_read(client, peer))
        watching: list[asyncio.Task[None]] = []
        peer.on("track", lambda track: watching.append(asyncio.create_task(_watch(client, track))))
        try:
            if prompt is None:
                await client.say(type="set_image", image_data=None, prompt=None)
                await client.until(lambda: client.heard("set_image_ack", success=True))
            else:
                await client.say(type="prompt", prompt=prompt, enhance_prompt=False)
                await client.until(lambda: client.heard("prompt_ack", prompt=prompt, success=True))
            peer.addTrack(Camera())
            await peer.setLocalDescription(await peer.createOffer())
            await client.say(type="offer", sdp=peer.localDescription.sdp)
            await client.until(lambda: client.heard("answer"))
            yield client
        finally:
            await peer.close()
            for task in (reading, *watching):
                task.cancel()


async def _read(client: Call, peer: RTCPeerConnection) -> None:
    async for text in client.socket:
        message = json.loads(text)
        client.told.append(message)
        if message["type"] == "answer":
            await peer.setRemoteDescription(RTCSessionDescription(message["sdp"], "answer"))


async def _watch(client: Call, track: MediaStreamTrack) -> None:
    try:
        while True:
            frame = await track.recv()
            assert isinstance(frame, av.VideoFrame) and frame.pts is not None
            colour = frame.to_ndarray(format="rgb24").mean((0, 1))
            client.seen.append((time.monotonic(), frame.pts, colour))
    except MediaStreamError:
        pass

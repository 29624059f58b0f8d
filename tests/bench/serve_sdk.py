"""`bench serve` without a browser: a Python client on aiortc sends the face clip and looks at what comes back.

Method as in serve_browser.py, with stamp.py: from the moment a frame is handed to aiortc to the moment the decoded
styled frame leaves `track.recv()`.  The receiving side runs with the server's aiortc fixes.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from fractions import Fraction
from typing import Any

import av
import cv2
import numpy as np
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamTrack
from rig import clip, stamp
from rig.node import Node
from serve_figures import LOOK, LOOKS, N_PROMPTS, SETTLE_S, WARM_S, Samples, Window
from websockets.asyncio.client import ClientConnection, connect

from reverie.client import rtc_tuning
from reverie.client.protocol import Answer, Failure, FromClient, Offer, Prompt, encode, read

CHANGE, NOISE_FACTOR, DIFFERENT, HISTORY = 8.0, 3.0, 10.0, 8  # as in watch.js
CHANGE_LIMIT_S = 5.0


class FaceTrack(MediaStreamTrack):
    """The clip at 30 fps, round and round, each frame with its number."""

    kind = "video"

    def __init__(self) -> None:
        super().__init__()
        self.pictures = list(clip.face_frames())
        self.times: deque[float] = deque(maxlen=4 * stamp.REACH)  # of the newest frames, ms
        self.newest = -1
        self.cells = np.zeros((10, 16, 3), np.float32)
        self._began = 0.0

    async def recv(self) -> av.VideoFrame:
        self._began = self._began or time.monotonic()
        number = self.newest + 1
        await asyncio.sleep(max(0.0, self._began + number / clip.FPS - time.monotonic()))
        self.times.append(_now_ms())
        self.newest = number
        picture = self.pictures[number % len(self.pictures)].copy()
        stamp.draw(picture, number)
        self.cells = _cells(picture)
        frame = av.VideoFrame.from_ndarray(cv2.cvtColor(picture, cv2.COLOR_RGB2YUV_I420), "yuv420p")
        frame.pts, frame.time_base = number * 90_000 // clip.FPS, Fraction(1, 90_000)
        return frame

    def age_ms(self, number: int) -> float:
        return _now_ms() - self.times[number - self.newest - 1]


class Watcher:
    """Looks at every frame that comes back."""

    def __init__(self, camera: FaceTrack) -> None:
        self.camera = camera
        self.samples = Samples()
        self.history: deque[np.ndarray] = deque(maxlen=HISTORY)
        self.styled = asyncio.Event()
        self.changed = asyncio.Event()
        self._before: tuple[np.ndarray, float] | None = None

    async def watch(self, track: MediaStreamTrack) -> None:
        while True:
            frame = await track.recv()
            assert isinstance(frame, av.VideoFrame)
            picture = cv2.cvtColor(frame.to_ndarray(format="yuv420p"), cv2.COLOR_YUV2RGB_I420).astype(np.uint8)
            self.samples.shown += 1
            number = stamp.read(picture, self.camera.newest)
            if number is None:
                self.samples.unread += 1
            else:
                self.samples.latencies.append((_now_ms(), self.camera.age_ms(number)))
            cells = _cells(picture)
            if _distance(cells, self.camera.cells) > DIFFERENT:
                self.styled.set()
            if self._before is not None and _distance(cells, self._before[0]) > self._before[1]:
                self.changed.set()
            self.history.append(cells)

    def expect_change(self) -> None:
        before = np.mean(self.history, axis=0)
        noise = float(np.median([_distance(cells, before) for cells in self.history]))
        self._before = before, max(CHANGE, NOISE_FACTOR * noise)
        self.changed.clear()


def measure(node: Node, seconds: float) -> tuple[Samples, dict[str, float]]:
    """One visit of a Python program; raises RuntimeError with the server's words if it refuses."""
    rtc_tuning.apply()
    return asyncio.run(_visit(node, seconds))


async def _visit(node: Node, seconds: float) -> tuple[Samples, dict[str, float]]:
    camera = FaceTrack()
    watcher = Watcher(camera)
    peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    tasks: list[asyncio.Task[Any]] = []
    peer.on("track", lambda track: tasks.append(asyncio.ensure_future(watcher.watch(track))))
    began = _now_ms()
    async with connect(f"{node.url.replace('http', 'ws', 1)}/v1/stream") as socket:
        try:
            await _send(socket, Prompt(LOOK))
            peer.addTrack(camera)
            await peer.setLocalDescription(await peer.createOffer())
            await _send(socket, Offer(peer.localDescription.sdp))
            await peer.setRemoteDescription(RTCSessionDescription(await _answer(socket), "answer"))
            await asyncio.wait_for(watcher.styled.wait(), 15)
            first = _now_ms() - began
            tasks.append(asyncio.ensure_future(_drain(socket)))
            await asyncio.sleep(WARM_S)
            window = Window(node)
            watcher.samples = samples = Samples(first_frame_ms=first)
            await asyncio.sleep(seconds)
            counts = window.close()
            watcher.samples = Samples()
            looks = LOOKS[node.model]
            samples.prompts = [await _time_prompt(socket, watcher, looks[i % 2]) for i in range(N_PROMPTS)]
        finally:
            for task in tasks:
                task.cancel()
            await peer.close()
    return samples, counts


async def _time_prompt(socket: ClientConnection, watcher: Watcher, prompt: str) -> float | None:
    watcher.expect_change()
    sent = _now_ms()
    await _send(socket, Prompt(prompt))
    try:
        await asyncio.wait_for(watcher.changed.wait(), CHANGE_LIMIT_S)
        return _now_ms() - sent
    except TimeoutError:
        return None
    finally:
        await asyncio.sleep(SETTLE_S)


async def _send(socket: ClientConnection, message: FromClient) -> None:
    await socket.send(encode(message))


async def _answer(socket: ClientConnection) -> str:
    async for text in socket:
        match read(str(text)):
            case Answer(sdp):
                return sdp
            case Failure(error):
                raise RuntimeError(error)
    raise RuntimeError("the server closed the connection before it answered")


async def _drain(socket: ClientConnection) -> None:
    async for _ in socket:
        pass


def _cells(picture: np.ndarray) -> np.ndarray:
    """(10, 16, 3) mean colours of the picture above the stamp."""
    height = picture.shape[0] // stamp.ROWS * (stamp.ROWS - stamp.STRIP_ROWS)
    return cv2.resize(picture[:height], (16, 10), interpolation=cv2.INTER_AREA).astype(np.float32)


def _distance(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.abs(a - b).mean())


def _now_ms() -> float:
    return time.monotonic() * 1000

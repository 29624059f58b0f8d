"""Links that are too slow, lose packets or shuffle them: the picture never stays away and is fluent within five seconds."""

import asyncio
import json
import random
import subprocess
import sys
import time
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError

from reverie.client import rtc_tuning
from reverie.server.metrics import Metrics
from reverie.server.output import Output
from reverie.server.settings import Settings
from reverie.server.sound import Sound
from reverie.server.viewer import Viewer

VISIT = Path(__file__).parents[1] / "rig" / "shaped_visit.py"
SECONDS, RECOVERED_S = 16, 6  # the first second of the visit is not counted


@pytest.mark.parametrize("kbits", [2400, 1200])
def test_a_slow_link_is_filled_but_not_flooded(kbits: int) -> None:
    """Both ways together have so much, in a network namespace of their own; the visit begins with twice as much."""
    if subprocess.run(["unshare", "-n", "tc", "qdisc", "show"], capture_output=True).returncode:
        pytest.skip("network namespaces and tc are needed: root, and the Debian package iproute2")
    command = ["unshare", "-n", sys.executable, str(VISIT), str(kbits), str(SECONDS)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]
    rows = json.loads(done.stdout.splitlines()[-1])
    settled = rows[RECOVERED_S:]
    assert min(row["fps"] for row in settled) >= 10, rows
    assert np.median([row["fps"] for row in settled]) >= 14, rows
    assert np.median([row["ms"] for row in settled]) < 150 and max(row["ms"] for row in settled) < 800, rows
    assert max(row["kbps"] for row in settled) < kbits, rows


class Shown:
    """What a viewer needs of a session; shows a picture with noise at 30 fps."""

    def __init__(self) -> None:
        self.output, self.sound = Output(Metrics()), Sound()

    async def play(self) -> None:
        noise = np.random.default_rng(0).integers(100, 156, (4, 288 * 3 // 2, 512), np.uint8)
        began, number = time.monotonic(), 0
        while True:
            frame = av.VideoFrame.from_ndarray(noise[number % 4], "yuv420p")
            frame.pts, frame.time_base = number * 3000, Fraction(1, 90000)
            self.output.show(frame)
            number += 1
            await asyncio.sleep(max(0.0, began + number / 30 - time.monotonic()))


class Wire:
    """What a transport sends, with a share lost and the rest late by up to some time, so that it overtakes."""

    def __init__(self, transport: Any) -> None:
        self.send, self.loss, self.jitter_s, self.random = transport._send, 0.0, 0.0, random.Random(7)
        transport._send = self

    async def __call__(self, data: bytes) -> None:
        if self.random.random() < self.loss:
            return
        if not self.jitter_s:
            return await self.send(data)
        delay = self.random.random() * self.jitter_s
        asyncio.get_running_loop().call_later(delay, lambda: asyncio.ensure_future(self._late(data)))

    async def _late(self, data: bytes) -> None:
        with suppress(ConnectionError):
            await self.send(data)


@pytest.mark.parametrize("codec", ["VP8", "H264"])
@pytest.mark.parametrize("loss, jitter_s, least", [(0.02, 0.0, 20), (0.15, 0.02, 5), (0.0, 0.03, 20)])
async def test_loss_and_jitter_are_got_over(codec: str, loss: float, jitter_s: float, least: int) -> None:
    """Emulated in this process: three bad seconds, then a good link again."""
    rtc_tuning.apply()
    session: Any = Shown()
    viewer, peer = Viewer(session, Settings(), lambda: None), RTCPeerConnection(RTCConfiguration(iceServers=[]))
    times: list[float] = []

    async def watch(track: Any) -> None:
        try:
            while True:
                await track.recv()
                times.append(time.monotonic())
        except MediaStreamError:
            pass

    tasks = [asyncio.create_task(session.play())]
    peer.on("track", lambda track: tasks.append(asyncio.create_task(watch(track))))
    video = peer.addTransceiver("video", direction="recvonly")
    known = __import__("aiortc").RTCRtpReceiver.getCapabilities("video").codecs
    video.setCodecPreferences([each for each in known if codec in each.mimeType or "rtx" in each.mimeType])
    await peer.setLocalDescription(await peer.createOffer())
    await peer.setRemoteDescription(RTCSessionDescription(await viewer.answer(peer.localDescription.sdp), "answer"))
    while not times:
        await asyncio.sleep(0.05)
    wire = Wire(viewer._peer._connection.getSenders()[0].transport.transport)
    fps = lambda since: sum(at > since for at in times) / (time.monotonic() - since)
    wire.loss, wire.jitter_s, bad = loss, jitter_s, time.monotonic()
    await asyncio.sleep(3)
    assert fps(bad) >= least
    wire.loss = wire.jitter_s = 0.0
    await asyncio.sleep(4)
    good = time.monotonic()
    await asyncio.sleep(1.5)
    assert fps(good) >= 20
    await viewer.close()
    for task in tasks:
        task.cancel()
    await peer.close()

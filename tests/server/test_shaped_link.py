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
from aiortc import RTCConfiguration, RTCPeerConnection, RTCRtpReceiver, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError

from reverie.client import rtc_tuning
from reverie.server.metrics import Metrics
from reverie.server.output import Output
from reverie.server.settings import Settings
from reverie.server.sound import Sound
from reverie.server.viewer import Viewer

VISIT = Path(__file__).parents[1] / "rig" / "shaped_visit.py"
SECONDS, FREE_SECONDS, RECOVERED_S = 10, 2, 4
BAD, RECOVERING, GOOD = 60, 100, 20  # pictures; 30 are a second, so that it recovers in less than five


@pytest.mark.parametrize("kbits", [2400, 1200])
def test_a_slow_link_is_filled_but_not_flooded(kbits: int) -> None:
    """Both ways together have so much, in a network namespace of their own; the visit begins with twice as much.

    What is asserted holds on a busy machine too; how fluent a quiet one is, `bench link` tells.
    """
    if subprocess.run(["unshare", "-n", "tc", "qdisc", "show"], capture_output=True).returncode:
        pytest.skip("network namespaces and tc are needed: root, and the Debian package iproute2")
    command = ["unshare", "-n", sys.executable, str(VISIT), str(kbits), str(SECONDS), str(FREE_SECONDS)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr[-2000:]
    rows = json.loads(done.stdout.splitlines()[-1])
    shaped, free = rows[RECOVERED_S:SECONDS], rows[SECONDS:]
    assert np.median([row["dropped"] for row in shaped]) < 0.1, rows
    assert sum(row["fps"] > 0 for row in shaped) >= 3, rows
    unshaped_ms = np.nanmedian([row["ms"] for row in free])
    assert np.nanmedian([row["ms"] for row in shaped]) < 500 + 3 * np.nan_to_num(unshaped_ms), rows


class Shown:
    """What a viewer needs of a session; shows a picture with noise at 30 fps."""

    def __init__(self) -> None:
        self.output, self.sound = Output(Metrics()), Sound()

    async def play(self) -> None:
        noise = np.random.default_rng(0).integers(100, 156, (4, 144 * 3 // 2, 256), np.uint8)
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


class Visit:
    """A viewer behind a wire, and how many pictures were sent and came."""

    def __init__(self, codec: str) -> None:
        self.session: Any = Shown()
        self.viewer = Viewer(self.session, Settings(), lambda: None)
        self.peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.came, self.codec = 0, codec
        self.tasks = [asyncio.create_task(self.session.play())]
        self.peer.on("track", lambda track: self.tasks.append(asyncio.create_task(self._watch(track))))

    @property
    def sent(self) -> int:
        return int(self.session.output.metrics.registry.get_sample_value("reverie_encode_seconds_count") or 0)

    async def _watch(self, track: Any) -> None:
        with suppress(MediaStreamError):
            while True:
                await track.recv()
                self.came += 1

    async def connect(self) -> Wire:
        video = self.peer.addTransceiver("video", direction="recvonly")
        known = RTCRtpReceiver.getCapabilities("video").codecs
        video.setCodecPreferences([each for each in known if self.codec in each.mimeType or "rtx" in each.mimeType])
        await self.peer.setLocalDescription(await self.peer.createOffer())
        answer = await self.viewer.answer(self.peer.localDescription.sdp)
        await self.peer.setRemoteDescription(RTCSessionDescription(answer, "answer"))
        while not self.came:
            await asyncio.sleep(0.05)
        return Wire(self.viewer._peer._connection.getSenders()[0].transport.transport)

    async def share(self, pictures: int) -> float:
        """Of the next so many pictures, how many come."""
        sent, came = self.sent, self.came
        while self.sent < sent + pictures:
            await asyncio.sleep(0.05)
        return (self.came - came) / (self.sent - sent)

    async def close(self) -> None:
        await self.viewer.close()
        for task in self.tasks:
            task.cancel()
        await self.peer.close()


async def get_over(codec: str, loss: float, jitter_s: float) -> tuple[float, float]:
    """Shares of pictures that came: through a bad link, and after it was good again for a while."""
    visit = Visit(codec)
    try:
        wire = await visit.connect()
        wire.loss, wire.jitter_s = loss, jitter_s
        bad = await visit.share(BAD)
        wire.loss = wire.jitter_s = 0.0
        await visit.share(RECOVERING)
        return bad, await visit.share(GOOD)
    finally:
        await visit.close()


@pytest.mark.parametrize("codec", ["VP8", "H264"])
async def test_loss_and_jitter_are_got_over(codec: str) -> None:
    """Emulated in this process, all at once; counted in pictures, so that a busy machine only takes longer."""
    rtc_tuning.apply()
    links = [(0.02, 0.0), (0.15, 0.02), (0.0, 0.03)]
    async with asyncio.timeout(200):
        shares = await asyncio.gather(*(get_over(codec, loss, jitter_s) for loss, jitter_s in links))
    assert all(bad > 0 and good > 0.6 for bad, good in shares), shares

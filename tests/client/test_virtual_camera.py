"""A session as a camera; the driver is emulated, for this machine has none, the session is real."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np

from reverie.client import Frames, connect
from reverie.client.virtual_camera import address, pictures, show


class Device:
    """Keeps what it is sent."""

    def __init__(self, width: int, height: int) -> None:
        self.size, self.sent, self.closed = (width, height), [], False  # type: ignore[var-annotated]

    def send(self, picture: np.ndarray) -> None:
        assert picture.dtype == np.uint8 and picture.shape == (self.size[1], self.size[0], 3)
        self.sent.append(picture)

    def close(self) -> None:
        self.closed = True


def test_a_camera_keeps_the_size_of_the_first_picture_and_is_closed_at_the_end() -> None:
    opened: list[Device] = []

    def open_camera(width: int, height: int) -> Device:
        opened.append(Device(width, height))
        return opened[-1]

    frames = (np.full((h, w, 3), 90, np.uint8) for w, h in ((64, 48), (32, 24), (64, 48)))
    assert show(frames, open_camera) == 3
    (device,) = opened
    assert device.size == (64, 48) and device.closed and abs(device.sent[1].mean() - 90) < 3


async def test_the_picture_of_a_session_reaches_it(toy: Any) -> None:
    device: list[Device] = []

    def some() -> Iterator[np.ndarray]:
        for number, picture in enumerate(pictures(address(toy.url, "newest"))):
            if number == 5:
                return
            yield picture

    def open_camera(width: int, height: int) -> Device:
        device.append(Device(width, height))
        return device[-1]

    camera = Frames([np.full((240, 320, 3), (200, 60, 60), np.uint8)] * 3000)
    async with connect(toy.url, camera, "invert", timeout_s=60) as session:
        async for frame in session:
            if frame.step:
                break
        assert await asyncio.wait_for(asyncio.to_thread(show, some(), open_camera), 90) == 5
    assert np.abs(device[0].sent[-1].mean((0, 1)) - (55, 195, 195)).max() < 30


def test_addresses_and_a_server_that_is_not_there() -> None:
    assert address("http://a:1/", "x/y") == "http://a:1/v1/sessions/x%2Fy/live.ts"
    command = [sys.executable, "-m", "reverie.client.virtual_camera", "--server", "http://127.0.0.1:9"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 1 and "Traceback" not in done.stderr and done.stderr.strip()

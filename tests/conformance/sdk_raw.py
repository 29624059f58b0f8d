"""Run by the Python of PyPI decart 0.0.40, the last with plain WebRTC; prints what it saw as one JSON object."""

import asyncio
import json
import sys

import av
import numpy as np
from aiortc import VideoStreamTrack
from decart import DecartClient, SetInput, models
from decart.realtime.client import RealtimeClient
from decart.realtime.subscribe import SubscribeOptions
from decart.realtime.types import RealtimeConnectOptions
from decart.types import ModelState, Prompt
from flat import picture

URL = sys.argv[1]
SAW: dict[str, object] = {}


class Camera(VideoStreamTrack):
    async def recv(self) -> av.VideoFrame:
        pts, time_base = await self.next_timestamp()
        frame = av.VideoFrame.from_ndarray(np.full((240, 320, 3), (200, 60, 60), np.uint8), "rgb24")
        frame.pts, frame.time_base = pts, time_base
        return frame


COLOURS: list[np.ndarray] = []


def show(track: object) -> None:
    async def watch() -> None:
        while True:
            COLOURS.append((await track.recv()).to_ndarray(format="rgb24").mean((0, 1)))

    COLOURS.clear()
    show.task = asyncio.create_task(watch())


async def sees(colour: tuple[int, int, int]) -> bool:
    for _ in range(400):
        if COLOURS and np.abs(COLOURS[-1] - colour).max() < 30:
            return True
        await asyncio.sleep(0.05)
    return False


async def main() -> None:
    client = DecartClient(api_key="local", base_url=URL)
    options = RealtimeConnectOptions(
        model=models.realtime("mirage_v2"), on_remote_stream=show,
        initial_state=ModelState(prompt=Prompt(text="invert", enhance=False)),
    )  # fmt: skip
    live = await RealtimeClient.connect(
        base_url=URL.replace("http", "ws"), api_key=client.api_key, local_track=Camera(), options=options
    )
    SAW["prompt"] = await sees((55, 195, 195))
    await live.set_prompt("green", enhance=False)
    SAW["set_prompt"] = await sees((11, 195, 39))
    await live.set(SetInput(prompt="red", image=picture((0, 255, 0)), enhance=False))
    SAW["prompt and picture"] = await sees((28, 117, 20))
    await live.set_image(picture((0, 0, 255)))
    SAW["set_image"] = await sees((0, 0, 195))
    COLOURS.clear()
    seat = await RealtimeClient.subscribe(
        base_url=URL.replace("http", "ws"), api_key=client.api_key,
        options=SubscribeOptions(token=live.subscribe_token, on_remote_stream=lambda t: t.kind == "video" and show(t)),
    )  # fmt: skip
    SAW["viewer"] = await sees((0, 0, 195))
    await seat.disconnect()
    await live.disconnect()


asyncio.run(main())
print(json.dumps(SAW))

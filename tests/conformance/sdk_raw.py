"""Run by the Python of PyPI decart 0.0.40, the last with plain WebRTC; prints what it saw as one JSON object."""

import asyncio
import json
import sys

import av
import numpy as np
from aiortc import VideoStreamTrack
from crowd import waits_in_line
from decart import DecartClient, SetInput, models
from decart.realtime.client import RealtimeClient
from decart.realtime.subscribe import SubscribeOptions
from decart.realtime.types import RealtimeConnectOptions
from decart.types import ModelState, Prompt
from flat import picture, until

URL = sys.argv[1]
SAW: dict[str, object] = {}


class Camera(VideoStreamTrack):
    async def recv(self) -> av.VideoFrame:
        pts, time_base = await self.next_timestamp()
        frame = av.VideoFrame.from_ndarray(np.full((240, 320, 3), (200, 60, 60), np.uint8), "rgb24")
        frame.pts, frame.time_base = pts, time_base
        return frame

    def stop(self) -> None:
        """Nothing: aiortc stops the track of a connection that ends, and the SDK goes on with it in the next one."""


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
    connect = lambda key=client.api_key: RealtimeClient.connect(
        base_url=URL.replace("http", "ws"), api_key=key, local_track=Camera(), options=options
    )
    live, states = await connect(), []
    live.on("connection_change", states.append)
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
    live._manager._connection._ws._writer.transport.abort()  # the network goes
    SAW["reconnects"] = await until(lambda: "reconnecting" in states and states[-1] in ("connected", "generating"))
    COLOURS.clear()
    SAW["keeps the picture"] = await sees((0, 0, 195))
    await live.disconnect()
    SAW["waits in line"] = await waits_in_line(URL, connect)
    try:
        await connect("a.b.c")
    except Exception as error:
        SAW["refused"] = "Invalid API key" in str(error)
    token = await client.tokens.create()
    SAW["token"] = token.api_key.startswith("ek_")
    await client.close()


asyncio.run(main())
print(json.dumps(SAW))

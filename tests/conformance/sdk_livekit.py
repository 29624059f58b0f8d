"""Run by the Python of PyPI decart 0.2.4: everything its realtime client can do, against a server at argv[1].

Prints what it saw as one JSON object.
"""

import asyncio
import json
import sys
from pathlib import Path

import numpy as np
from crowd import waits_in_line
from decart import DecartClient, ModelState, Prompt, SetInput, models
from decart.realtime.client import RealtimeClient
from decart.realtime.subscribe import SubscribeOptions
from decart.realtime.types import RealtimeConnectOptions
from flat import picture, until
from livekit import rtc

sys.path.append(str(Path(__file__).parents[1]))
from rig.relay import Relay

RELAY = Relay(int(sys.argv[1].rpartition(":")[2]))
URL = RELAY.url
MODEL = models.realtime("lucy-2.5")
SAW: dict[str, object] = {}


async def film(source: rtc.VideoSource) -> None:
    picture = np.full((MODEL.height, MODEL.width, 4), (200, 60, 60, 255), np.uint8)
    while True:
        frame = rtc.VideoFrame(MODEL.width, MODEL.height, rtc.VideoBufferType.RGBA, picture.tobytes())
        source.capture_frame(frame)
        await asyncio.sleep(1 / 15)


class Screen:
    def __init__(self) -> None:
        self.colour, self.size, self.frames = np.zeros(3), (0, 0), 0

    def show(self, *track: object) -> None:
        self.task = asyncio.create_task(self._watch(track[0]))

    async def _watch(self, track: object) -> None:
        async for event in rtc.VideoStream(track):
            frame = event.frame.convert(rtc.VideoBufferType.RGBA)
            pixels = np.frombuffer(frame.data, np.uint8).reshape(frame.height, frame.width, 4)
            self.colour, self.size = pixels[..., :3].mean((0, 1)), (frame.width, frame.height)
            self.frames += 1

    async def sees(self, colour: tuple[int, int, int]) -> bool:
        for _ in range(600):
            if np.abs(self.colour - colour).max() < 30:
                return True
            await asyncio.sleep(0.05)
        return False


async def main() -> None:
    client = DecartClient(api_key="local", base_url=URL, realtime_base_url=URL.replace("http", "ws"))
    source = rtc.VideoSource(MODEL.width, MODEL.height)
    camera = asyncio.create_task(film(source))
    track, screen, states = rtc.LocalVideoTrack.create_video_track("camera", source), Screen(), []
    options = RealtimeConnectOptions(
        model=MODEL, on_remote_stream=screen.show, resolution="720p",
        initial_state=ModelState(prompt=Prompt(text="invert", enhance=False)),
    )  # fmt: skip
    connect = lambda key=client.api_key: RealtimeClient.connect(
        base_url=client.realtime_base_url, api_key=key, local_track=track, options=options
    )
    live = await connect()
    live.on("connection_change", states.append)
    SAW["prompt"], SAW["size"] = await screen.sees((55, 195, 195)), screen.size
    await live.set_prompt("green", enhance=False)
    SAW["set_prompt"] = await screen.sees((11, 195, 39))
    await live.set(SetInput(prompt="red", enhance=False))
    SAW["set"] = await screen.sees((55, 39, 39))
    viewer = Screen()
    seat = await RealtimeClient.subscribe(
        base_url=client.base_url, api_key=client.api_key,
        options=SubscribeOptions(token=live.subscribe_token, on_remote_stream=viewer.show),
    )  # fmt: skip
    SAW["viewer"] = await viewer.sees((55, 39, 39))
    await seat.disconnect()
    back: list[str] = []
    live._manager._connection._room.on("reconnected", lambda: back.append("media"))
    RELAY.cut("/rtc")
    SAW["resumes its media"] = await until(lambda: back and "reconnecting" not in states)
    await live.set_prompt("green", enhance=False)
    SAW["sees and is seen then"] = await screen.sees((11, 195, 39))
    await live.set(SetInput(prompt="red", enhance=False))
    RELAY.cut("/v1/stream")
    SAW["reconnects"] = await until(lambda: "reconnecting" in states and states[-1] in ("connected", "generating"))
    screen.colour = np.zeros(3)
    SAW["keeps the prompt"] = await screen.sees((55, 39, 39))
    await live.set(SetInput(prompt="red", image=picture((0, 255, 0)), enhance=False))
    SAW["prompt and picture"] = await screen.sees((28, 117, 20))
    await live.set_image(picture((0, 0, 255)), prompt=None)
    SAW["set_image"] = await screen.sees((0, 0, 195))
    RELAY.cut("")  # all of it
    SAW["reconnects again"] = await until(lambda: states.count("reconnecting") == 2 and states[-1] != "reconnecting")
    screen.colour = np.zeros(3)
    SAW["keeps the picture"] = await screen.sees((0, 0, 195))
    try:
        await live.set_image(b"no picture")
    except Exception as error:
        SAW["a bad picture is told"] = "the reference picture is none of" in str(error)
    await live.set_image(None)
    SAW["set_image null"] = await screen.sees((200, 60, 60))
    SAW["states"] = [str(state) for state in states]
    await live.disconnect()
    SAW["waits in line"] = await waits_in_line(URL, connect)
    camera.cancel()
    token = await client.tokens.create(expires_in=60, allowed_models=["lucy-2.5"])
    SAW["token"] = token.api_key.startswith("ek_") and client.tokens.decode(token.token).user_id
    try:
        await connect("a.b.c")
    except Exception as error:
        SAW["refused"] = str(error)
    await client.close()


asyncio.run(main())
RELAY.close()
print(json.dumps(SAW))

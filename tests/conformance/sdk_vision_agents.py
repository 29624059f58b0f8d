"""Run by the Python of PyPI vision-agents-plugins-decart 0.6.9: its processor, against a server at argv[1].

The plugin brings decart 0.0.35 (plain WebRTC); it hands `base_url` on.  Prints what it saw as one JSON object.
"""

import asyncio
import json
import sys

import av
import numpy as np
from aiortc import VideoStreamTrack
from flat import picture, until
from vision_agents.plugins.decart import RestylingProcessor

SAW: dict[str, object] = {}


class Camera(VideoStreamTrack):
    async def recv(self) -> av.VideoFrame:
        pts, time_base = await self.next_timestamp()
        frame = av.VideoFrame.from_ndarray(np.full((240, 320, 3), (200, 60, 60), np.uint8), "rgb24")
        frame.pts, frame.time_base = pts, time_base
        return frame

    def stop(self) -> None:
        """Nothing: aiortc stops the track of a connection that ends, and the SDK goes on with it in the next one."""


async def sees(track: VideoStreamTrack, colour: tuple[int, int, int]) -> bool:
    for _ in range(900):
        seen = (await track.recv()).to_ndarray(format="rgb24").mean((0, 1))
        if np.abs(seen - colour).max() < 30:
            return True
    return False


async def main() -> None:
    processor = RestylingProcessor(
        api_key="local", base_url=sys.argv[1], initial_prompt="invert", enhance=False, width=320, height=240
    )
    shown = processor.publish_video_track()
    await processor.process_video(Camera(), "somebody")
    SAW["prompt"] = await sees(shown, (55, 195, 195))
    await processor.update_prompt("green")
    SAW["update_prompt"] = await sees(shown, (11, 195, 39))
    await processor.update_state("red", picture((0, 255, 0)))
    SAW["prompt and picture"] = await sees(shown, (28, 117, 20))
    states: list[str] = []
    processor._on_connection_change_callback = states.append
    processor._realtime_client._manager._connection._ws._writer.transport.abort()  # the network goes
    SAW["reconnects"] = await until(lambda: "reconnecting" in states and states[-1] in ("connected", "generating"))
    shown.last_frame = shown.placeholder_frame
    while not shown.frame_queue.empty():
        shown.frame_queue.get_nowait()
    SAW["keeps prompt and picture"] = await sees(shown, (28, 117, 20))
    await processor.close()


asyncio.run(main())
print(json.dumps(SAW))

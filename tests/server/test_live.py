"""A session's picture for what reads neither WebRTC nor a page."""

import asyncio
from typing import Any

import av
import numpy as np

INVERTED = (55, 195, 195)


def watch(url: str, frames: int) -> list[tuple[float, np.ndarray]]:
    with av.open(url, timeout=10) as stream:
        decoded = (frame for _, frame in zip(range(frames), stream.decode(video=0), strict=False))
        return [(frame.time, frame.to_ndarray(format="rgb24").mean((0, 1))) for frame in decoded]


async def test_ffmpeg_reads_the_picture_over_http(server: Any, call: Any) -> None:
    async with call("invert") as client:
        await client.sees(INVERTED)
        for name in ("newest", next(m["session_id"] for m in client.told if m["type"] == "session_id")):
            seen = await asyncio.to_thread(watch, f"{server.url}/v1/sessions/{name}/live.ts", 20)
            assert np.abs(seen[-1][1] - INVERTED).max() < 25
            times = [at for at, _ in seen]
            assert times == sorted(set(times)) and 0.3 < times[-1] - times[0] < 3
    deadline = asyncio.get_running_loop().time() + 5
    while server.metrics()["viewers"] and asyncio.get_running_loop().time() < deadline:
        await asyncio.sleep(0.05)
    assert server.metrics()["viewers"] == 0

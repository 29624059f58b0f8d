"""What viewers cost the server: `reverie bench viewers --json`; one session by WHIP, 1 and then 10 watch it by WHEP.

`cpu_ms` is processor time of the server alone for one picture of the session; 0 is the session that nobody watches.
`ratio` is that with ten viewers over that with one; the goal is 1.3: one encode serves all, each viewer has its packets.
The camera is a talking head of 512x288 with sound; the model's work counts as in any session: `--model toy` has next to
none, what is left is media.  The three take turns, `ROUNDS` times, and the medians count.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
from contextlib import AsyncExitStack
from fractions import Fraction
from pathlib import Path

import av
from aiortc.mediastreams import AudioStreamTrack, VideoStreamTrack

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from clips import talking_head
from environment import environment, table
from rig.node import Node, serve
from rig.whip import call

WATCHING, ROUNDS, SECONDS, SETTLE_S = (0, 1, 10), 3, 6.0, 2.0
SHOWN = "reverie_frames_out_total"


class Head(VideoStreamTrack):
    """The clip to and fro, at 30 fps."""

    def __init__(self, frames: int = 45) -> None:
        super().__init__()
        clip = [av.VideoFrame.from_ndarray(each, "rgb24").reformat(format="yuv420p") for each in talking_head(frames)]
        self._clip, self._shown = clip + clip[::-1], 0

    async def recv(self) -> av.VideoFrame:
        pts, time_base = await self.next_timestamp()
        frame = self._clip[self._shown % len(self._clip)]
        frame.pts, frame.time_base = pts, Fraction(time_base)
        self._shown += 1
        return frame


async def cpu_ms(node: Node, viewers: int) -> float:
    """For a picture, with so many viewers."""
    async with AsyncExitStack() as stack:
        for _ in range(viewers):
            await stack.enter_async_context(call(node.url, "/whep/bench", False))
        await asyncio.sleep(SETTLE_S)
        shown, used = await asyncio.to_thread(node.metrics), node.cpu_s()
        await asyncio.sleep(SECONDS)
        used, now = node.cpu_s() - used, await asyncio.to_thread(node.metrics)
        return 1000 * used / max(1.0, now[SHOWN] - shown[SHOWN])


async def measure(node: Node) -> dict[int, float]:
    costs: dict[int, list[float]] = {viewers: [] for viewers in WATCHING}
    tracks = {"video": Head(), "audio": AudioStreamTrack()}
    async with call(node.url, "/whip?session=bench&prompt=watercolour", True, tracks=tracks):
        for _ in range(ROUNDS):
            for viewers in WATCHING:
                costs[viewers].append(await cpu_ms(node, viewers))
    return {viewers: statistics.median(each) for viewers, each in costs.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="the last line is one JSON object in any case")
    parser.add_argument("--model", default="nano")
    args = parser.parse_args()
    with serve(args.model, "--max-sessions", "2") as node:
        costs = asyncio.run(measure(node))
    rows = [{"viewers": viewers, "cpu_ms": round(each, 2)} for viewers, each in costs.items()]
    print(table(rows))
    ratio = round(costs[WATCHING[-1]] / costs[1], 2)
    told = {"bench": "viewers", "model": args.model, "environment": environment(), "rows": rows, "ratio": ratio}
    print(json.dumps(told))


if __name__ == "__main__":
    main()

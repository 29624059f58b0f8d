"""What indexing a session costs, and how soon what was shown is found: `reverie bench indexing --json`.

How to read it: `cost` is the share of its frames that a session loses when it is indexed (1 less the ratio of frames a
second with and without, turns alternating in one process; below 0 is noise).  nano at 512x288 gets its next frame as soon as the last
is done, so nothing of the machine is idle.  `calm` is a person before a still room, `busy` a camera that pans, where every
pixel moves.  `thread_share` is the processor time of the thread that sees, as a share of all processors.
`findable`: a real server and a Python client, whose camera cuts to other scenes; from the time that a moment ends with, as
`/v1/search` tells it, to the first answer that has it with that end (asked every 50 ms), in seconds.  The toy model, for what is
measured is the index.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import av
import numpy as np
from clips import Clip, moving_camera, talking_head
from environment import environment, table
from rig.node import serve

from reverie.client import Frames, connect
from reverie.client.moments import search
from reverie.models import nano_kernel
from reverie.models.blend import blend
from reverie.server.engine import Engine, Feed, Look
from reverie.server.keys import Keys
from reverie.server.metrics import Metrics
from reverie.server.output import Output
from reverie.server.pictures import to_frame
from reverie.server.search.service import Service
from reverie.server.settings import Settings

LOOK, ROUNDS, TURN_S, SEEN_S = "pencil sketch", 4, 8.0, 24.0
PROCESSORS = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@dataclass(eq=False)
class Session:
    """As far as the index sees one."""

    output: Output
    id: str = "bench"
    tenant: str = "local"
    state: str = "styled"
    camera_frame: av.VideoFrame | None = None
    look: Look = field(default_factory=lambda: Look(LOOK, blend(LOOK)))
    scene: SimpleNamespace = field(default_factory=lambda: SimpleNamespace(sentence=""))


class Camera:
    """Feeds the engine from a thread of its own, each frame when the last is done."""

    def __init__(self, engine: Engine, model: nano_kernel.Nano, session: Session, clip: Clip) -> None:
        self._loop, self._session, self._engine = asyncio.get_running_loop(), session, engine
        self._frames, self._done = [to_frame(picture) for picture in clip], threading.Event()
        self._feed = Feed(model.stream(), self._deliver, lambda reason: print(reason, file=sys.stderr))
        engine.add(self._feed)
        engine.take_on(self._feed, session.look)

    def _deliver(self, frame: av.VideoFrame, step: int) -> None:
        self._loop.call_soon_threadsafe(self._session.output.show, frame)
        self._done.set()

    def run(self, seconds: float) -> float:
        """Frames a second."""
        count, began = 0, time.perf_counter()
        while (took := time.perf_counter() - began) < seconds:
            frame = self._frames[count % len(self._frames)]
            frame.pts, frame.time_base = count, Fraction(1, 30)
            self._session.camera_frame = frame
            self._done.clear()
            self._engine.put(self._feed, frame)
            self._done.wait(60)
            count += 1
        return count / took

    def stop(self) -> None:
        self._engine.remove(self._feed)


async def cost(service: Service, engine: Engine, model: nano_kernel.Nano, clip: Clip, rounds: int) -> dict[str, float]:
    session = Session(Output(engine.metrics))
    camera = Camera(engine, model, session, clip)
    watched: Any = session
    service.watch(watched, True)
    await asyncio.to_thread(camera.run, 8.0)  # everything is loaded
    service.watch(watched, False)
    rates: dict[bool, list[float]] = {True: [], False: []}
    shares = []
    for turn in range(2 * rounds):
        indexed = turn % 2 == (turn // 2) % 2  # with, without, without, with
        service.watch(watched, indexed)
        await asyncio.to_thread(camera.run, 2.0)  # what a session opens once
        before = await service.see(time.thread_time)
        rates[indexed].append(await asyncio.to_thread(camera.run, TURN_S))
        if indexed:
            shares.append((await service.see(time.thread_time) - before) / TURN_S / PROCESSORS)
        service.watch(watched, False)
    camera.stop()
    plain, seen = statistics.median(rates[False]), statistics.median(rates[True])
    return {"fps": round(plain, 2), "fps_indexed": round(seen, 2), "cost": round(1 - seen / plain, 4),
            "thread_share": round(statistics.median(shares), 4)}  # fmt: skip


async def costs(folder: str, rounds: int) -> dict[str, dict[str, float]]:
    engine, model = Engine(Metrics()), nano_kernel.load(skip=0.0)
    service = Service(Settings(data=folder), Keys("bench"), lambda session: None)
    clips = {"calm": talking_head(240), "busy": moving_camera(240)}
    try:
        return {name: await cost(service, engine, model, clip, rounds) for name, clip in clips.items()}
    finally:
        engine.stop()
        await service.close()


async def scenes() -> AsyncIterator[np.ndarray]:
    """Three seconds each of colours that nothing else has."""
    rng = np.random.default_rng(3)
    while True:
        picture = np.repeat(np.repeat(rng.integers(0, 256, (9, 16, 3), np.uint8), 32, 0), 32, 1)
        for _ in range(90):
            yield picture


async def findable(url: str) -> dict[str, float]:
    """From the end of a moment to its being found."""
    lags, last = list[float](), 0.0
    async with connect(url, Frames(scenes(), fps=30), "red", index=True) as session:
        began = time.monotonic()
        showing = asyncio.create_task(_drain(session))
        while time.monotonic() - began < SEEN_S:
            hits = await search(url, "red", limit=100)
            newest = max((hit.end for hit in hits), default=0.0)
            if newest > last and last:
                lags.append(time.time() - newest)
            last = max(last, newest)
            await asyncio.sleep(0.05)
        showing.cancel()
    return {"times": len(lags), "p50_s": round(statistics.median(lags), 3), "max_s": round(max(lags), 3)}


async def _drain(session: Any) -> None:
    while True:
        await session.output.recv()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--json", action="store_true", help="only the last line")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="turns of each kind and clip, of 8 s")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rows = asyncio.run(costs(folder, args.rounds))
    with tempfile.TemporaryDirectory() as folder:
        os.environ["REVERIE_DATA"] = folder
        with serve("toy") as node:
            found = asyncio.run(findable(node.url))
    if not args.json:
        print(table([{"clip": name, **row} for name, row in rows.items()]))
        print(f"found after {found['p50_s']} s (median of {found['times']}), {found['max_s']} s at most")
    print(json.dumps({"bench": "indexing", "environment": environment(), **rows, "findable": found}))


if __name__ == "__main__":
    main()

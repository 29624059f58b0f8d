"""Whether sound comes with its picture: `reverie bench av --json`; a flash and a beep each second, through a whole server.

`offset_ms` is beep minus flash where they come out (positive: the sound is late), less what they were apart going in; the
goal is 40 either way.  `sdk`: a Python client's own camera and microphone.  `whip_whep`: published by WHIP, watched by
WHEP.  `browser`: Chromium, by the same eye and ear on both ends.  `_socket`: over the WebSocket instead of WebRTC.  No
look at all, and the toy model.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from environment import environment, table
from rig.av_browser import of_page
from rig.browser import launch
from rig.flash import Beeps, Flashes, loudness, of_visit, offsets_ms, onsets
from rig.node import Node, serve
from rig.whip import call

SECONDS, SETTLE_S = 20, 4.0  # the sound approaches the picture's delay by 1 ms a frame
Levels = list[tuple[float, float]]


def row(way: str, prompt: str, offsets: list[float]) -> dict[str, Any]:
    return {
        "way": way, "look": prompt or "none", "beeps": len(offsets),
        "offset_ms": round(statistics.median(offsets), 1) if offsets else None,
        "worst_ms": round(max(offsets, key=abs), 1) if offsets else None,
    }  # fmt: skip


async def sdk(node: Node, prompt: str, media: str) -> list[float]:
    return await of_visit(node.url, prompt, SECONDS, SETTLE_S, media=media)


def apart(began: float, pictures: Levels, levels: Levels, prompt: str) -> list[float]:
    seen = [(at, 255 - level if prompt else level) for at, level in pictures if at - began > SETTLE_S]
    return offsets_ms(onsets(seen, 128), onsets([each for each in levels if each[0] - began > SETTLE_S - 0.1], 0.1))


async def whip_whep(node: Node, prompt: str) -> list[float]:
    began, pictures, levels = time.monotonic(), [], []  # type: float, Levels, Levels

    async def watch(track: Any) -> None:
        while True:
            frame = await track.recv()
            if track.kind == "video":
                pictures.append((time.monotonic(), float(frame.to_ndarray(format="gray").mean())))
            else:
                levels.extend(loudness(time.monotonic(), frame))

    tracks = {"video": Flashes(began), "audio": Beeps(began)}
    async with (
        call(node.url, f"/whip?session=av&prompt={prompt}", True, tracks=tracks),
        call(node.url, "/whep/av", False, watch=watch),
    ):
        await asyncio.sleep(SECONDS)
    return apart(began, pictures, levels, prompt)


def browser(node: Node, prompt: str, over_socket: bool) -> list[float]:
    with launch() as chromium:
        page = chromium.new_page()
        page.goto(node.url)
        offsets, told = of_page(page, prompt, SECONDS, SETTLE_S, over_socket)
    print(f"Chromium, {prompt or 'no look'}: {told}", file=sys.stderr)
    return offsets


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="the last line is one JSON object in any case")
    parser.parse_args()
    rows = []
    with serve("toy") as node:
        for prompt in ("", "invert"):
            rows.append(row("sdk", prompt, asyncio.run(sdk(node, prompt, "webrtc"))))
            rows.append(row("sdk_socket", prompt, asyncio.run(sdk(node, prompt, "websocket"))))
            rows.append(row("whip_whep", prompt, asyncio.run(whip_whep(node, prompt))))
            rows.append(row("browser", prompt, browser(node, prompt, False)))
            rows.append(row("browser_socket", prompt, browser(node, prompt, True)))
    print(table(rows))
    print(json.dumps({"bench": "av", "environment": environment(), "rows": rows}))


if __name__ == "__main__":
    main()

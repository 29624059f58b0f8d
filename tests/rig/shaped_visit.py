"""A visit over a link of bounded rate: python shaped_visit.py KBITS SECONDS, inside a network namespace of its own.

The namespace's loopback carries everything, both ways, through one token bucket (tc tbf).  Prints one JSON object:
frames received and median latency in each second, and what the server counted.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from rig.node import Node, serve

ADDRESS = "10.99.0.1"  # ICE leaves out 127.0.0.1


def shape(kbits: int) -> None:
    for command in (
        "ip link set lo up",
        f"ip address add {ADDRESS}/32 dev lo",
        f"tc qdisc add dev lo root tbf rate {kbits}kbit burst 16kb latency 400ms",
    ):
        subprocess.run(command.split(), check=True, capture_output=True)


async def camera() -> AsyncIterator[np.ndarray]:
    """(288, 512, 3) RGB, a panning texture with noise: about as hard to encode as a room."""
    random = np.random.default_rng(0)
    wide = cv2.normalize(
        cv2.GaussianBlur(random.integers(0, 256, (400, 1024, 3), np.uint8), (0, 0), 6), None, 0, 255, cv2.NORM_MINMAX
    )
    began, number = time.monotonic(), 0
    while True:
        at = abs(number % 400 - 200)
        view = wide[at // 2 : at // 2 + 288, 2 * at : 2 * at + 512].astype(np.int16)
        yield (view + random.integers(-3, 4, view.shape)).clip(0, 255).astype(np.uint8)
        number += 1
        await asyncio.sleep(max(0.0, began + number / 30 - time.monotonic()))


async def visit(node: Node, seconds: int) -> list[dict[str, Any]]:
    from reverie.client import connect

    rows: list[dict[str, Any]] = []
    async with connect(node.url, camera(), "invert", reconnect=False, timeout_s=30) as session:
        ends, latencies = time.monotonic() + 1, []
        while len(rows) < seconds:
            try:
                frame = await asyncio.wait_for(anext(session), max(0.0, ends - time.monotonic()))
                latencies.append(frame.latency_ms)
            except TimeoutError:
                metrics = node.metrics()
                rate, rung = metrics.get("reverie_viewer_bitrate", 0), metrics.get("reverie_viewer_rung", 0)
                rows.append(
                    {
                        "fps": len(latencies),
                        "ms": float(np.median(latencies or [np.nan])),
                        "kbps": rate / 1000,
                        "rung": rung,
                    }
                )
                ends, latencies = time.monotonic() + 1, []
    return rows


def main() -> None:
    shape(int(sys.argv[1]))
    with serve("toy") as node:
        rows = asyncio.run(visit(node, int(sys.argv[2])))
    print(json.dumps(rows))


if __name__ == "__main__":
    main()

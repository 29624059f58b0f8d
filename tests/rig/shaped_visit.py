"""A visit over a link of bounded rate: python shaped_visit.py KBITS SECONDS FREE_SECONDS, in a network namespace of its own.

The namespace's loopback carries everything, both ways, through one token bucket (tc tbf), which is then taken away: the
last FREE_SECONDS tell what the same visit is like on this machine, as busy as it is, without it.  Prints a JSON list, a
row for each second: frames received, median latency, the server's rate and rung, share of packets that the link dropped.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
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


def free() -> None:
    subprocess.run(["tc", "qdisc", "del", "dev", "lo", "root"], check=True, capture_output=True)


def passed() -> tuple[int, int]:
    """Packets that the link has carried and dropped so far."""
    text = subprocess.run(["tc", "-s", "qdisc", "show", "dev", "lo"], check=True, capture_output=True, text=True).stdout
    found = re.search(r"(\d+) pkt \(dropped (\d+)", text)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def camera() -> Iterator[np.ndarray]:
    """(288, 512, 3) RGB, a panning texture with noise: about as hard to encode as a room."""
    random = np.random.default_rng(0)
    wide = cv2.normalize(
        cv2.GaussianBlur(random.integers(0, 256, (400, 1024, 3), np.uint8), (0, 0), 6), None, 0, 255, cv2.NORM_MINMAX
    )
    noise = random.integers(-3, 4, (4, 288, 512, 3), np.int16)
    for number in itertools.count():
        at = abs(number % 400 - 200)
        view = wide[at // 2 : at // 2 + 288, 2 * at : 2 * at + 512]
        yield (view + noise[number % 4]).clip(0, 255).astype(np.uint8)


async def visit(node: Node, seconds: int, free_seconds: int) -> list[dict[str, Any]]:
    from reverie.client import connect

    rows: list[dict[str, Any]] = []
    async with connect(node.url, camera(), "invert", reconnect=False, timeout_s=30) as session:
        ends, latencies, before = time.monotonic() + 1, [], passed()
        while len(rows) < seconds + free_seconds:
            try:
                frame = await asyncio.wait_for(anext(session), max(0.0, ends - time.monotonic()))
                latencies.append(frame.latency_ms)
            except TimeoutError:
                metrics = await asyncio.to_thread(node.metrics)
                rate, rung = metrics.get("reverie_viewer_bitrate", 0), metrics.get("reverie_viewer_rung", 0)
                now = passed()
                sent, dropped = max(0, now[0] - before[0]), max(0, now[1] - before[1])
                rows.append(
                    {
                        "fps": len(latencies),
                        "ms": float(np.median(latencies or [np.nan])),
                        "kbps": rate / 1000,
                        "rung": rung,
                        "dropped": dropped / max(1, sent + dropped),
                    }
                )
                if len(rows) == seconds:
                    free()
                ends, latencies, before = time.monotonic() + 1, [], now
    return rows


def main() -> None:
    shape(int(sys.argv[1]))
    with serve("toy") as node:
        rows = asyncio.run(visit(node, int(sys.argv[2]), int(sys.argv[3])))
    print(json.dumps(rows))


if __name__ == "__main__":
    main()

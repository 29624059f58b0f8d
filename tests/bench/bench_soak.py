"""Whether a session stays as it began: `reverie bench soak --minutes 20 --json`; 2 minutes if not told.

A Python client sends a talking head with sound, 512x288 at 30 fps, and looks at every picture that comes back.  Slopes are
by least squares over what was seen every five seconds, the first `WARM_S` left out: of the median latency (goal: 1 ms a minute
at most) and of the server's resident memory (1 MB a minute).  A freeze is Chromium's: no picture for three times the usual
interval, and 150 ms more than it at least (goal: none).  Two minutes tell freezes and gross growth, twenty tell slopes.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import time
from collections import deque
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from aiortc.mediastreams import AudioStreamTrack
from bench_viewers import Head
from environment import environment
from rig.node import Node, serve

from reverie.client import connect

EVERY_S, WARM_S = 5.0, 30.0
WORST = {"latency_ms_per_min": 1.0, "memory_mb_per_min": 1.0, "freezes": 0}


@dataclass(frozen=True, slots=True)
class Seen:
    """In five seconds."""

    at_s: float
    fps: float
    latency_ms: float  # median
    memory_mb: float
    freezes: int


class Gaps:
    """Counts freezes among the times of pictures, seconds."""

    def __init__(self) -> None:
        self._between: deque[float] = deque(maxlen=30)
        self._last: float | None = None
        self.freezes = 0

    def picture(self, now: float) -> None:
        if self._last is not None:
            gap = now - self._last
            if len(self._between) == 30:
                usual = statistics.fmean(self._between)
                self.freezes += gap > max(3 * usual, usual + 0.15)
            self._between.append(gap)
        self._last = now


def memory_mb(node: Node) -> float:
    process = psutil.Process(node.pid)
    return float(sum(each.memory_info().rss for each in (process, *process.children(recursive=True)))) / 1e6


async def visit(node: Node, prompt: str, seconds: float) -> list[Seen]:
    began, rows, latencies, gaps = time.monotonic(), list[Seen](), list[float](), Gaps()
    async with connect(node.url, Head(), prompt, microphone=AudioStreamTrack(), timeout_s=60) as session:
        told = time.monotonic()
        async for frame in session:
            now = time.monotonic()
            gaps.picture(now)
            latencies.append(frame.latency_ms)
            if now - told >= EVERY_S:
                row = Seen(
                    round(now - began, 1), round(len(latencies) / (now - told), 2),
                    round(statistics.median(latencies), 1), round(memory_mb(node), 1), gaps.freezes,
                )  # fmt: skip
                rows.append(row)
                print(json.dumps(asdict(row)), flush=True)
                told, gaps.freezes = now, 0
                latencies.clear()
            if now - began > seconds:
                return rows
    raise RuntimeError("the session ended too soon")


def summary(rows: list[Seen]) -> dict[str, Any]:
    """Slopes and freezes once it is warm, and which are beyond the goal.  Raises ValueError if there are too few rows."""
    warm = [row for row in rows if row.at_s > WARM_S]
    if len(warm) < 4:
        raise ValueError(f"a soak needs {WARM_S + 5 * EVERY_S:.0f} s at least")
    minutes = np.array([row.at_s / 60 for row in warm])
    slope = lambda values: round(float(np.polyfit(minutes, values, 1)[0]), 2)
    found = {
        "latency_ms_per_min": slope([row.latency_ms for row in warm]),
        "memory_mb_per_min": slope([row.memory_mb for row in warm]),
        "freezes": sum(row.freezes for row in warm),
    }
    beyond = [name for name, worst in WORST.items() if found[name] > worst]
    return (
        {"minutes": round(warm[-1].at_s / 60, 1), "fps": statistics.median(row.fps for row in warm)}
        | found
        | {"beyond": beyond}
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=2.0)
    parser.add_argument("--model", default="nano")
    parser.add_argument("--prompt", default="watercolour")
    parser.add_argument("--json", action="store_true", help="the last line is one JSON object in any case")
    args = parser.parse_args()
    if args.minutes * 60 < WARM_S + 5 * EVERY_S:
        parser.error(f"--minutes is {(WARM_S + 5 * EVERY_S) / 60:.1f} at least, not {args.minutes:g}")
    with serve(args.model) as node:
        rows = asyncio.run(visit(node, args.prompt, 60 * args.minutes))
    told = summary(rows)
    print(json.dumps({"bench": "soak", "model": args.model, "environment": environment(), **told}))
    return 1 if told["beyond"] else 0


if __name__ == "__main__":
    sys.exit(main())

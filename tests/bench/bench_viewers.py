"""What viewers cost the server: `reverie bench viewers --json`; one session by WHIP, 1 and then 10 watch it by WHEP.

`cpu_share` is of one core, the server alone, between two moments with so many viewers; 0 is the session that nobody
watches.  `ratio` is that with ten over that with one; the goal is 1.3: one encode serves all, each viewer has its
packets.  The toy model; the three take turns, `ROUNDS` times, and the medians count.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import time
from contextlib import AsyncExitStack
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from environment import environment, table
from rig.node import Node, serve
from rig.whip import call

WATCHING, ROUNDS, SECONDS, SETTLE_S = (0, 1, 10), 3, 6.0, 2.0


async def share(node: Node, viewers: int) -> float:
    """Of a core, with so many viewers."""
    async with AsyncExitStack() as stack:
        for _ in range(viewers):
            await stack.enter_async_context(call(node.url, "/whep/bench", False))
        await asyncio.sleep(SETTLE_S)
        began, used = time.monotonic(), node.cpu_s()
        await asyncio.sleep(SECONDS)
        return (node.cpu_s() - used) / (time.monotonic() - began)


async def measure(node: Node) -> dict[int, float]:
    shares: dict[int, list[float]] = {viewers: [] for viewers in WATCHING}
    async with call(node.url, "/whip?session=bench&prompt=invert", True):
        for _ in range(ROUNDS):
            for viewers in WATCHING:
                shares[viewers].append(await share(node, viewers))
    return {viewers: statistics.median(each) for viewers, each in shares.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="the last line is one JSON object in any case")
    parser.parse_args()
    with serve("toy", "--max-sessions", "2") as node:
        shares = asyncio.run(measure(node))
    rows = [{"viewers": viewers, "cpu_share": round(each, 3)} for viewers, each in shares.items()]
    print(table(rows))
    ratio = round(shares[WATCHING[-1]] / shares[1], 2)
    print(json.dumps({"bench": "viewers", "environment": environment(), "rows": rows, "ratio": ratio}))


if __name__ == "__main__":
    main()

"""How fast places are given: `reverie bench placement --json`.  A real Redis of its own on a Unix socket.

`claim_p95_ms`: at 500 claims and 500 releases a second, open loop (a late answer does not hold the next question up), in a
fleet of 50 nodes with 40 places each.  `operations` is how many commands Redis runs for one session in a second, those inside of
scripts included, with three nodes of four sessions that beat and meter as the service does.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from environment import environment, table
from redis.asyncio import BlockingConnectionPool, Redis
from redis.exceptions import RedisError

from reverie.server.embedded import EmbeddedRedis
from reverie.server.errors import Elsewhere
from reverie.server.fleet import Fleet
from reverie.server.keys import BEAT_S, Keys
from reverie.server.placement import About, Holder, Placement
from reverie.server.settings import Settings

RATE, NODES, SLOTS = 500, 50, 40


def about(name: str, slots: int) -> About:
    return About(name, f"http://{name}", "cpu", ("nano",), slots)


async def reached(url: str) -> Redis:
    client = Redis(connection_pool=BlockingConnectionPool.from_url(url, max_connections=16, timeout=60))
    while True:
        try:
            await client.ping()
            return client
        except (RedisError, OSError):
            await asyncio.sleep(0.02)


async def claims(client: Redis, seconds: int) -> list[float]:
    placement, took = Placement(client, Keys("claims"), 3_600_000), []  # type: Placement, list[float]
    for n in range(NODES):
        await placement.beat(about(str(n), SLOTS), {})

    async def visit(number: int) -> None:
        began, node = time.perf_counter(), "0"
        try:
            await placement.claim(str(number), Holder(f"t{number % 20}"), "nano", "0")
        except Elsewhere as other:
            node = other.node
        took.append((time.perf_counter() - began) * 1000)
        await asyncio.sleep(0.5)
        await placement.release(str(number), node)

    began, tasks = time.perf_counter(), []
    for number in range(RATE * seconds):
        await asyncio.sleep(max(0.0, began + number / RATE - time.perf_counter()))
        tasks.append(asyncio.create_task(visit(number)))
    await asyncio.gather(*tasks)
    return sorted(took)


async def operations(client: Redis, url: str, seconds: int) -> float:
    fleets = []
    for n in range(3):
        ours = {f"{n}-{s}": Holder(f"t{s % 2}") for s in range(4)}
        fleets.append(
            Fleet(Settings(redis_url=url, fleet="beats"), f"http://{n}", lambda n=n: about(str(n), 4), ours.copy)
        )
    for fleet in fleets:
        await fleet.say()
    before = await client.info("commandstats")
    for _ in range(seconds):
        await asyncio.sleep(BEAT_S)
        for fleet in fleets:
            await fleet.say()
    after = await client.info("commandstats")
    calls = lambda stats: sum(each["calls"] for each in stats.values())
    for fleet in fleets:
        assert fleet.redis is not None
        await fleet.redis.aclose()
    return (calls(after) - calls(before)) / seconds / 12


async def measure(url: str, seconds: int) -> dict[str, float]:
    client = await reached(url)
    took = await claims(client, seconds)
    each = await operations(client, url, seconds)
    await client.aclose()
    return {
        "claims": len(took), "claim_p50_ms": round(statistics.median(took), 2),
        "claim_p95_ms": round(took[int(0.95 * len(took))], 2), "operations": round(each, 1),
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--json", action="store_true")
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        server = EmbeddedRedis(Path(folder))
        server.start()
        try:
            rows = [asyncio.run(measure(server.url, wanted.seconds))]
        finally:
            server.stop()
    print(table(rows))
    print(json.dumps({"bench": "placement", "environment": environment(), "rows": rows}))


if __name__ == "__main__":
    main()

"""What a million sessions need: `reverie bench growth --json`.  Redis is measured, the rest is simulated.

Measured, with a real Redis of its own: microseconds of its one thread, and commands, for a claim, a release and a node's
beat, in cells of several sizes.  A cell is one fleet: nodes that share a Redis, whose keys have one hash tag.

Simulated (discrete events, fed by those figures): one region of 50,000 sessions that last 300 s on average (assumed), nodes
of four places, a tenth of all places free.  A door sends who comes to the emptier of two cells that it picks at random, by
figures that are a second old, and to another one if that is full.  Each Redis serves one request at a time, in order; a
twentieth of a cell's nodes dies at once, and their sessions come back at once (`storm_p95_ms`); another cell's Redis is gone
for ten seconds (`away_s` is the longest that somebody waited meanwhile).  Regions share nothing, so a million sessions
are twenty regions: `redis_for_million`, `nodes_for_million`.  `busy` is the share of a Redis' thread in use.
"""

from __future__ import annotations

import argparse
import asyncio
import heapq
import json
import random
import sys
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from bench_placement import about, reached
from environment import environment, table
from redis.asyncio import Redis

from reverie.server.embedded import EmbeddedRedis
from reverie.server.errors import Elsewhere
from reverie.server.keys import BEAT_S, Keys
from reverie.server.placement import Holder, Placement

CELLS = (10, 50, 200)  # nodes of a cell
SLOTS, SESSIONS, VISIT_S, FREE = 4, 50_000, 300.0, 0.1
WARM_S, STORM_S, AWAY_S, BACK_S, END_S = 20.0, 40.0, 60.0, 70.0, 90.0
WAY_S = 0.001  # to a Redis of the same region and back (assumed)
SHARE_THAT_DIES = 0.05


@dataclass(frozen=True)
class Cost:
    """Of one kind of request: seconds of Redis' thread, and commands."""

    s: float
    commands: float


async def cost(client: Redis, work: Callable[[], Awaitable[int]]) -> Cost:
    """Of each of the requests that `work` makes; it returns how many."""
    before = await client.info("commandstats")
    count = await work()
    after = await client.info("commandstats")
    script = lambda stats: stats.get("cmdstat_evalsha", {}).get("usec", 0)  # what it calls is part of it
    calls = lambda stats: sum(each["calls"] for each in stats.values())
    return Cost((script(after) - script(before)) / count / 1e6, (calls(after) - calls(before) - 1) / count)


async def measured(url: str, nodes: int, rounds: int) -> dict[str, Cost]:
    """A cell that is nine tenths full."""
    client = await reached(url)
    keys = Keys(f"cell{nodes}")
    placements = [Placement(client, keys, 3_600_000, 3_600_000) for _ in range(nodes)]
    held: list[dict[str, Holder]] = [{} for _ in range(nodes)]
    for node, placement in enumerate(placements):
        await placement.beat(about(str(node), SLOTS), {})

    async def claim(name: str) -> None:
        node = "0"
        try:
            await placements[0].claim(name, Holder(f"t{hash(name) % 20}"), "nano", "0")
        except Elsewhere as other:
            node = other.node
        held[int(node)][name] = Holder(f"t{hash(name) % 20}")

    async def beats() -> int:
        for node, placement in enumerate(placements):
            await placement.beat(about(str(node), SLOTS), held[node])
        return nodes

    for number in range(int(nodes * SLOTS * (1 - FREE))):
        await claim(f"first{number}")
    await beats()  # all have learnt of all

    async def claims() -> int:
        for number in range(rounds):
            await claim(f"more{number}")
        return rounds

    async def releases() -> int:
        for node, mine in enumerate(held):
            for name in [each for each in mine if each.startswith("more")]:
                await placements[0].release(name, str(node))
                del mine[name]
        return rounds

    rounds = min(rounds, int(nodes * SLOTS * FREE))
    found = {"claim": await cost(client, claims), "release": await cost(client, releases)}
    found["beat"] = await cost(client, beats)
    await client.aclose()
    return found


@dataclass
class Cell:
    """Nodes with one Redis."""

    places: int
    used: int = 0
    told: int = 0  # places in use as the door knows it
    free_at: float = 0.0  # when Redis has done all that is asked of it
    away_until: float = 0.0
    busy_s: float = 0.0

    def ask(self, now: float, seconds: float) -> float:
        """When a request is answered."""
        begins = max(now, self.free_at, self.away_until)
        self.free_at = begins + seconds
        self.busy_s += seconds
        return self.free_at + WAY_S


@dataclass
class Region:
    """One course of events."""

    nodes: int  # of a cell
    costs: dict[str, Cost]
    chance: random.Random
    events: list[tuple[float, int, str, int]] = field(default_factory=list)  # when, number, what, which cell
    waits: dict[str, list[float]] = field(default_factory=lambda: {"quiet": [], "storm": [], "away": []})
    refused = second_try = came = count = 0

    def at(self, when: float, what: str, cell: int = -1) -> None:
        self.count += 1
        heapq.heappush(self.events, (when, self.count, what, cell))

    def go(self) -> Region:
        places = self.nodes * SLOTS
        self.cells = [Cell(places) for _ in range(round(SESSIONS / (1 - FREE) / places))]
        for number in range(SESSIONS):
            cell = number % len(self.cells)
            self.cells[cell].used += 1
            self.at(self.chance.expovariate(1 / VISIT_S), "leave", cell)
        for number in range(len(self.cells)):
            for _ in range(self.nodes):
                self.at(self.chance.random() * BEAT_S, "beat", number)
        for when, what, cell in ((0.0, "come", -1), (0.0, "told", -1), (STORM_S, "storm", 0), (AWAY_S, "away", 1)):
            self.at(when, what, cell)
        while self.events[0][0] < END_S:
            now, _, what, cell = heapq.heappop(self.events)
            getattr(self, f"_{what}")(now, cell)
        return self

    def _come(self, now: float, _: int) -> None:
        self.at(now + self.chance.expovariate(SESSIONS / VISIT_S), "come")
        self.came += 1
        self._place(now, "away" if AWAY_S <= now < BACK_S else "quiet" if now < STORM_S else "")

    def _place(self, now: float, kind: str) -> None:
        one, two = (self.chance.randrange(len(self.cells)) for _ in range(2))
        first = min(one, two, key=lambda each: self.cells[each].told)
        answered = now
        for number in (first, one if first == two else two, self.chance.randrange(len(self.cells))):
            cell = self.cells[number]
            answered = cell.ask(answered, self.costs["claim"].s)
            if cell.used < cell.places:
                cell.used += 1
                self.at(answered + self.chance.expovariate(1 / VISIT_S), "leave", number)
                if kind and now > WARM_S:
                    self.waits[kind].append(answered - now)
                return
            self.second_try += 1
        self.refused += 1

    def _leave(self, now: float, number: int) -> None:
        self.cells[number].used -= 1
        self.cells[number].ask(now, self.costs["release"].s)

    def _beat(self, now: float, number: int) -> None:
        self.cells[number].ask(now, self.costs["beat"].s)
        self.at(now + BEAT_S, "beat", number)

    def _told(self, now: float, _: int) -> None:
        for cell in self.cells:
            cell.told = cell.used
        self.at(now + BEAT_S, "told")

    def _storm(self, now: float, number: int) -> None:
        """Nodes of a cell die: their clients come back at once, to any cell with a place."""
        for _ in range(round(self.cells[number].used * SHARE_THAT_DIES)):
            self._place(now, "storm")  # their own places stay taken until their leases end

    def _away(self, now: float, number: int) -> None:
        self.cells[number].away_until = BACK_S

    def row(self) -> dict[str, Any]:
        part = lambda kind, share: sorted(self.waits[kind])[int(share * len(self.waits[kind]))]
        beats = self.costs["beat"].commands / SLOTS / BEAT_S
        visits = (self.costs["claim"].commands + self.costs["release"].commands) / VISIT_S
        regions = 1_000_000 / SESSIONS
        return {
            "cell_nodes": self.nodes, "claim_us": round(self.costs["claim"].s * 1e6), "beat_us": round(self.costs["beat"].s * 1e6),
            "operations": round((beats + visits) / (1 - FREE), 1), "busy": round(max(c.busy_s for c in self.cells) / END_S, 3),
            "place_p50_ms": round(part("quiet", 0.5) * 1e3, 2), "place_p95_ms": round(part("quiet", 0.95) * 1e3, 2),
            "storm_p95_ms": round(part("storm", 0.95) * 1e3, 2), "away_s": round(max(self.waits["away"]), 1),
            "second_try": round(self.second_try / self.came, 5), "refused": self.refused,
            "redis_for_million": round(len(self.cells) * regions), "nodes_for_million": round(len(self.cells) * self.nodes * regions),
        }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=200, help="requests of each kind that are measured")
    parser.add_argument("--json", action="store_true")
    rounds, rows = parser.parse_args().rounds, []
    with tempfile.TemporaryDirectory() as folder:
        server = EmbeddedRedis(Path(folder))
        server.start()
        try:
            costs = {nodes: asyncio.run(measured(server.url, nodes, rounds)) for nodes in CELLS}
        finally:
            server.stop()
    for nodes, found in costs.items():
        rows.append(Region(nodes, found, random.Random(0)).go().row())
    print(table(rows))
    said = {"simulated": True, "measured": ["claim_us", "beat_us", "operations"]}
    print(json.dumps({"bench": "growth", **said, "environment": environment(), "rows": rows}))


if __name__ == "__main__":
    main()

"""What a burst costs others: `reverie bench fairness --json`.  Simulated: the service's own scheduler (`server/fair.py`,
`server/line.py`), a clock that jumps, and visits of random length.

`half full`, `two thirds` and `nearly full`: four tenants want so many of all places (0.5, 0.65, 0.8).  `busy`: the four want a
tenth, and two more always want more than there is.  In the middle a tenant asks 50 times at once: a new one or, where it says
so, one of the four.  `wait_s` is how long the others wait for a place on average, in the ten minutes from then on; `rise`
compares the run with the burst to the same run (same visits, same times) without it: 0.1 is ten per cent.  A wait of less
than a second counts as one.  `fifo_wait_s` is the wait with the burst in a plain line for all.  `burst_s` is how long those of
the burst wait; `stands` is the share of their visits that they stand back for others (nobody waits then, but they see their
camera), and `others_stand` that of the others' visits.  `eta_error` is the middle error of the wait that people were told, as a
share of the mean visit.
"""

from __future__ import annotations

import argparse
import heapq
import json
import random
import statistics
import sys
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from environment import environment, table

from reverie.server import fair
from reverie.server.fair import Ticket
from reverie.server.line import Use, position

SLOTS, TENANTS, VISIT_S, BURST = 16, 4, 120.0, 50
LIGHT = 0.1  # of all places, wanted by the four beside two who want more than all
BEGIN_S, WATCHED_S = 7200.0, 600.0
CASES = (  # name, share of all places that the four want (0: `busy`), who asks 50 times
    ("half full", 0.5, "burst"), ("half full, one of the four", 0.5, "tenant0"), ("two thirds", 0.65, "burst"),
    ("nearly full", 0.8, "burst"), ("busy", 0.0, "burst"),
)  # fmt: skip


@dataclass
class Run:
    """One course of events."""

    requests: list[tuple[float, str, float]]  # when, who, how long the visit lasts
    fifo: bool = False
    now: float = 0.0
    waiting: dict[str, tuple[Ticket, float]] = field(default_factory=dict)
    leaving: list[tuple[float, int, str, float]] = field(default_factory=list)  # when, rank, who, since when
    visited: Counter[str] = field(default_factory=Counter)  # seconds by tenant
    stood: Counter[str] = field(default_factory=Counter)  # those of them that it stood back for others
    waits: list[tuple[float, str, float]] = field(default_factory=list)  # when it came, who, how long it waited
    told: dict[str, float] = field(default_factory=dict)
    errors: list[float] = field(default_factory=list)

    def go(self) -> Run:
        self.use = Use(lambda: self.now)
        coming = sorted(self.requests)[::-1]
        while coming or self.leaving or self.waiting:
            tick = self.now + 1.0 if self.waiting else float("inf")  # waiting lines look again every second
            self._pass(min(tick, coming[-1][0] if coming else tick, self.leaving[0][0] if self.leaving else tick))
            while self.leaving and self.leaving[0][0] <= self.now:
                _, _, who, began = heapq.heappop(self.leaving)
                self.use.ended(who, began)
            while coming and coming[-1][0] <= self.now:
                at, who, lasts = coming.pop()
                ticket = Ticket(f"{10**6 - len(coming)}", who, "standard", at)
                self.waiting[ticket.id] = ticket, lasts
                self._tell(ticket)
            self._admit()
        return self

    def _pass(self, until: float) -> None:
        for number, (_, _, who, _) in enumerate(sorted(self.leaving, key=lambda each: (each[1], each[3]))):
            self.visited[who] += until - self.now
            self.stood[who] += (until - self.now) * (number >= SLOTS)
        self.now = until

    def _load(self) -> fair.Load:
        return self.use.load(SLOTS, Counter(rank for _, rank, _, _ in self.leaving))

    def _tell(self, ticket: Ticket) -> None:
        line = [each for each, _ in self.waiting.values()]
        if (eta := position(ticket, line, self._load()).eta_s) is not None:
            self.told[ticket.id] = eta

    def _admit(self) -> None:
        tickets = [each for each, _ in self.waiting.values()]
        load = self._load()
        free = SLOTS - sum(load.used.values())
        for ticket in tickets[: max(0, free)] if self.fifo else fair.admitted(tickets, load):
            _, lasts = self.waiting.pop(ticket.id)
            waited = self.now - ticket.since_s
            self.waits.append((ticket.since_s, ticket.tenant, waited))
            if waited > 0 and ticket.id in self.told:
                self.errors.append(abs(self.told[ticket.id] - waited) / VISIT_S)
            now = self._load()
            line = 1 + fair.line_of(ticket.tenant, (each for each, _ in self.waiting.values()))
            rank = fair.rank(ticket.tier, now.used.get(ticket.tenant, 0), fair.right(load, ticket.tenant), line)
            heapq.heappush(self.leaving, (self.now + lasts, rank, ticket.tenant, self.use.began(ticket.tenant)))

    def wait_of(self, tenants: Iterable[str]) -> float:
        mine = [w for at, who, w in self.waits if who in tenants and BEGIN_S <= at < BEGIN_S + WATCHED_S]
        return statistics.fmean(mine) if mine else 0.0

    def stands(self, tenants: Iterable[str]) -> float:
        return sum(self.stood[each] for each in tenants) / max(1.0, sum(self.visited[each] for each in tenants))


def requests(seed: int, load: float) -> list[tuple[float, str, float]]:
    chance, found = random.Random(seed), []
    if not load:  # two who always want more
        for tenant in range(2):
            times = (BEGIN_S - 900 + 10 * n for n in range(240))
            found += [(at, f"heavy{tenant}", chance.expovariate(1 / VISIT_S)) for at in times]
    for tenant in range(TENANTS):
        at = 0.0
        while at < BEGIN_S + 2 * WATCHED_S:
            at += chance.expovariate((load or LIGHT) * SLOTS / TENANTS / VISIT_S)
            found.append((at, f"tenant{tenant}", chance.expovariate(1 / VISIT_S)))
    return found


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=12)
    parser.add_argument("--json", action="store_true")
    wanted = parser.parse_args()
    rows = []
    for name, load, who in CASES:
        others, runs = [f"tenant{n}" for n in range(TENANTS) if f"tenant{n}" != who], []
        for seed in range(wanted.runs):
            steady, chance = requests(seed, load), random.Random(-seed - 1)
            burst = [(BEGIN_S, who, chance.expovariate(1 / VISIT_S)) for _ in range(BURST)]
            runs.append((Run(steady).go(), Run(steady + burst).go(), Run(steady + burst, fifo=True).go()))
        base, burdened, fifo = (
            statistics.fmean(run.wait_of(others) for run in each) for each in zip(*runs, strict=True)
        )
        errors = [error for _, run, _ in runs for error in run.errors]
        rows.append({
            "fleet": name, "wait_s": round(base, 2), "wait_with_burst_s": round(burdened, 2),
            "rise": round((max(burdened, 1.0) - max(base, 1.0)) / max(base, 1.0), 3), "fifo_wait_s": round(fifo, 1),
            "burst_s": round(statistics.fmean(run.wait_of([who]) for _, run, _ in runs), 1),
            "stands": round(statistics.fmean(run.stands([who]) for _, run, _ in runs), 2),
            "others_stand": round(statistics.fmean(run.stands(others) for _, run, _ in runs), 4),
            "eta_error": round(statistics.median(errors), 2) if errors else None,
        })  # fmt: skip
    print(table(rows))
    print(json.dumps({"bench": "fairness", "simulated": True, "environment": environment(), "rows": rows}))


if __name__ == "__main__":
    main()

"""What a burst costs others: `reverie bench fairness --json`.  Simulated: the service's own scheduler (`server/fair.py`,
`server/line.py`), a clock that jumps, and visits of random length.

`busy`: two tenants always want more than there is, so nobody ever finds a free place; four others come now and then.
`half full` and `nearly full`: only the four, who want 0.5 and 0.8 of all places.  In the middle another tenant asks 50 times at
once.  `wait_s` is how long the four wait for a place on average, in the ten minutes from then on; `rise` compares the run
with the burst to the same run (same visits, same times) without it: 0.1 is ten per cent.  `fifo_rise` is the same with a plain
line for all.  `rise` counts a wait of less than a second as one.  `eta_error` is the middle error of the wait that people
were told, as a share of the mean visit.
"""

from __future__ import annotations

import argparse
import heapq
import json
import random
import statistics
import sys
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from environment import environment, table

from reverie.server import fair
from reverie.server.fair import Ticket
from reverie.server.line import Use

SLOTS, TENANTS, VISIT_S, BURST = 16, 4, 120.0, 50
LIGHT = 0.1  # of all places, wanted by the four beside two who want more than all
BEGIN_S, WATCHED_S = 3600.0, 600.0


@dataclass
class Run:
    """One course of events."""

    requests: list[tuple[float, str, float]]  # when, who, how long the visit lasts
    fifo: bool = False
    now: float = 0.0
    waiting: dict[str, tuple[Ticket, float]] = field(default_factory=dict)
    leaving: list[tuple[float, str, float]] = field(default_factory=list)
    waits: list[tuple[float, str, float]] = field(default_factory=list)  # when it came, who, how long it waited
    told: dict[str, float] = field(default_factory=dict)
    errors: list[float] = field(default_factory=list)

    def go(self) -> Run:
        self.use = Use(lambda: self.now)
        coming = sorted(self.requests)[::-1]
        while coming or self.leaving or self.waiting:
            tick = self.now + 1.0 if self.waiting else float("inf")  # waiting lines look again every second
            self.now = min(tick, coming[-1][0] if coming else tick, self.leaving[0][0] if self.leaving else tick)
            while self.leaving and self.leaving[0][0] <= self.now:
                _, who, began = heapq.heappop(self.leaving)
                self.use.ended(who, began)
            while coming and coming[-1][0] <= self.now:
                at, who, lasts = coming.pop()
                ticket = Ticket(f"{len(coming):06}", who, "standard", at)
                self.waiting[ticket.id] = ticket, lasts
                self._tell(ticket)
            self._admit()
        return self

    def _load(self) -> fair.Load:
        return self.use.load(SLOTS, 0)

    def _tell(self, ticket: Ticket) -> None:
        line = fair.order((each for each, _ in self.waiting.values()), self._load())
        if (eta := fair.wait_s(line.index(ticket) + 1, self._load())) is not None:
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
            heapq.heappush(self.leaving, (self.now + lasts, ticket.tenant, self.use.began(ticket.tenant)))

    def wait_of(self, tenant: str) -> float:
        mine = [w for at, who, w in self.waits if who == tenant and BEGIN_S <= at < BEGIN_S + WATCHED_S]
        return statistics.fmean(mine) if mine else 0.0


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
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--json", action="store_true")
    wanted = parser.parse_args()
    rows = []
    for name, load in (("busy", 0.0), ("half full", 0.5), ("nearly full", 0.8)):
        with_burst, without, plain, errors = [], [], [], []
        for seed in range(wanted.runs):
            steady, chance = requests(seed, load), random.Random(-seed - 1)
            burst = [(BEGIN_S, "burst", chance.expovariate(1 / VISIT_S)) for _ in range(BURST)]
            runs = Run(steady).go(), Run(steady + burst).go(), Run(steady + burst, fifo=True).go()
            for run, waits in zip(runs, (without, with_burst, plain), strict=True):
                waits += [run.wait_of(f"tenant{n}") for n in range(TENANTS)]
            errors += runs[1].errors
        base, burdened, fifo = map(statistics.fmean, (without, with_burst, plain))
        rows.append({
            "fleet": name, "wait_s": round(base, 2), "wait_with_burst_s": round(burdened, 2),
            "rise": round((burdened - base) / max(base, 1.0), 3), "fifo_rise": round((fifo - base) / max(base, 1.0), 1),
            "eta_error": round(statistics.median(errors), 2) if errors else None,
        })  # fmt: skip
    print(table(rows))
    print(json.dumps({"bench": "fairness", "simulated": True, "environment": environment(), "rows": rows}))


if __name__ == "__main__":
    main()

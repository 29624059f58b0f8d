"""Whose turn it is: pure arithmetic over who waits and who has what; no clock, no network.

Tiers go before each other.  Inside a tier every tenant has a queue of its own, and deficit round robin (Shreedhar and
Varghese, SIGCOMM 1995) serves them: a tenant begins with the places that it has or used of late as its debt.  Places
that a tenant used of late are kept ready for it, so that the burst of another finds only what is left over.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

TIERS = ("priority", "standard", "flex")
HALF_LIFE_S = 60.0  # of a place's use that is over
QUANTUM = 1.0  # places a round
SPREAD = 1.0  # standard deviations of chance arrivals (Poisson) that are kept ready


@dataclass(frozen=True, slots=True)
class Ticket:
    """Who waits for a place."""

    id: str
    tenant: str
    tier: str  # one of TIERS
    since_s: float  # by one clock for all


@dataclass(frozen=True, slots=True)
class Load:
    """What there is."""

    slots: int
    used: Mapping[str, int] = field(default_factory=dict)  # places by tenant, now
    recent: Mapping[str, float] = field(default_factory=dict)  # the same, averaged over the last minutes
    lasted_s: tuple[float, ...] = ()  # how long the last visits were
    flex: int = 0  # places in use by flex sessions, which live ones find free


def order(waiting: Iterable[Ticket], load: Load) -> list[Ticket]:
    """All of them, next first."""
    lines: dict[str, dict[str, deque[Ticket]]] = {tier: {} for tier in TIERS}
    for ticket in sorted(waiting, key=lambda each: (each.since_s, each.id)):
        lines[ticket.tier].setdefault(ticket.tenant, deque()).append(ticket)
    return [ticket for line in lines.values() for ticket in _round_robin(line, load)]


def _round_robin(line: dict[str, deque[Ticket]], load: Load) -> Iterable[Ticket]:
    debt = {tenant: max(load.recent.get(tenant, 0.0), load.used.get(tenant, 0)) for tenant in line}
    least = min(debt.values(), default=0.0)  # rounds in which nobody could be served are left out
    deficit = {tenant: least - owed for tenant, owed in debt.items()}
    while line:
        for tenant in tuple(line):
            deficit[tenant] += QUANTUM
            while line[tenant] and deficit[tenant] >= 1.0:
                deficit[tenant] -= 1.0
                yield line[tenant].popleft()
            if not line[tenant]:
                del line[tenant]


def admitted(waiting: Iterable[Ticket], load: Load) -> list[Ticket]:
    """Those who may take a place now, next first."""
    used = dict(load.used)
    free = load.slots - sum(used.values()) + load.flex
    found: list[Ticket] = []
    for ticket in order(waiting, load):
        if free <= (load.flex if ticket.tier == "flex" else 0):
            break
        mine = used.get(ticket.tenant, 0)
        if mine < max(1, _share(load, ticket.tenant)) or free > _kept(load, used, ticket.tenant):
            found.append(ticket)
            used[ticket.tenant] = mine + 1
            free -= 1
    return found


def _share(load: Load, tenant: str) -> int:
    """Places that a tenant may always have: the same for all who had any of late."""
    return load.slots // len({tenant, *(each for each, value in load.recent.items() if value > 0.25)})


def _kept(load: Load, used: Mapping[str, int], tenant: str) -> float:
    """Places that stay free for the others: together they want what they used of late, and its root by chance."""
    recent = sum(value for each, value in load.recent.items() if each != tenant)
    return max(0.0, recent + SPREAD * recent**0.5 - sum(n for each, n in used.items() if each != tenant))


def averaged(value: float, used: int, seconds: float) -> float:
    """The average of a tenant's places after it has used so many for so long."""
    return float(used + (value - used) * 0.5 ** (seconds / HALF_LIFE_S))


def wait_s(position: int, load: Load) -> float | None:
    """How long the one at a position (1 is next) has to wait; None if no visit has ended yet, so nobody can know.

    Places in use end one after the other, as many in a time as they did of late: the mean visit over their number.
    """
    if not load.lasted_s or not load.slots:
        return None
    free = load.slots - sum(load.used.values()) + load.flex
    mean = sum(load.lasted_s) / len(load.lasted_s)
    return max(0, position - max(0, free)) * mean / load.slots

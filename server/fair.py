"""Whose turn it is: pure arithmetic over who waits and who has what; no clock, no network.

Tiers go before each other.  Inside a tier every tenant has a queue of its own, and deficit round robin (Shreedhar and
Varghese, SIGCOMM 1995) serves them: a tenant begins with the places that it has or used of late as its debt.

A tenant has a right to as many places as it used of late.  What it takes beyond is lent: each place has a rank, which
says how far beyond its tenant is with all that it asks for, and who comes with a lower rank finds it free.  So a burst
takes all that nobody uses, and nobody waits for it to end.
"""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

TIERS = ("priority", "standard", "flex")
HALF_LIFE_S = 1800.0  # of a place's use that is over; so a right grows as slowly
QUANTUM = 1.0  # places a round
STEPS = 3  # ranks to a standard deviation of chance arrivals (Poisson)
CHANCE = 2  # of a tenant that wait; more of them are a burst
FURTHEST, FLEX = 30, 31  # rank of what is furthest beyond a right, and of flex, which all others find free
CROWD = 2  # sessions for each place, at most, those that stand back for others among them


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
    recent: Mapping[str, float] = field(default_factory=dict)  # the same, averaged over the last half hour
    lasted_s: tuple[float, ...] = ()  # how long the last visits were
    ranks: Mapping[int, int] = field(default_factory=dict)  # places in use by rank

    def free(self, rank: int) -> int:
        """Places that a rank finds free."""
        return self.slots - sum(number for each, number in self.ranks.items() if each <= rank)


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
    waiting = tuple(waiting)
    rights = {tenant: right(load, tenant) for tenant in {each.tenant for each in waiting}}
    used, ranks = Counter(load.used), Counter(load.ranks)
    line = Counter(each.tenant for each in waiting)
    found: list[Ticket] = []
    for ticket in order(waiting, load):
        place = rank(ticket.tier, used[ticket.tenant], rights[ticket.tenant], line[ticket.tenant])
        if Load(load.slots, ranks=ranks).free(place) > 0 and ranks.total() < CROWD * load.slots:
            found.append(ticket)
            used[ticket.tenant] += 1
            line[ticket.tenant] -= 1
            ranks[place] += 1
    return found


def right(load: Load, tenant: str) -> float:
    """Places that nobody takes back from a tenant: what it used of late, one at least, and no more than its share.

    The share is what is left for one who wants all, when those who want less have that, and others as much as it.
    """
    return min(max(1.0, load.recent.get(tenant, 0.0)), _share(load, tenant))


def _share(load: Load, tenant: str) -> float:
    others = [
        max(load.recent.get(each, 0.0), float(load.used.get(each, 0) > 0))
        for each in load.recent.keys() | load.used.keys()
        if each != tenant
    ]
    left, heads = float(load.slots), 1 + len(others)
    for wanted in sorted(others):
        if wanted * heads > left:
            break
        left, heads = left - wanted, heads - 1
    return left / heads


def rank(tier: str, held: int, right: float, waiting: int = 1) -> int:
    """Of one place more: 0 within the right; then steps of standard deviations, for what is chance to one is much to
    another.

    Args: waiting: of the tenant, the one that gets the place among them.
    """
    if tier == "flex":
        return FLEX
    if held + 1 <= right:
        return 0
    return min(FURTHEST, math.ceil(STEPS * (held + max(1, waiting - CHANCE) - right) / (right + 1) ** 0.5))


def line_of(tenant: str, waiting: Iterable[Ticket]) -> int:
    """How many of a tenant wait."""
    return sum(each.tenant == tenant for each in waiting)


def averaged(value: float, used: int, seconds: float) -> float:
    """The average of a tenant's places after it has used so many for so long."""
    return float(used + (value - used) * 0.5 ** (seconds / HALF_LIFE_S))


def wait_s(position: int, load: Load, tenant: str = "", own: int = 0) -> float | None:
    """How long the one at a position (1 is next) has to wait; None if no visit has ended yet, so nobody can know.

    Places in use end one after the other, as many in a time as they did of late: the mean visit over their number.  A
    tenant that wants more than others leave waits for places of its own to end.

    Args: tenant, own: whose it is, and its position among those of its tenant.
    """
    if not load.lasted_s or not load.slots:
        return None
    free = load.free(FURTHEST)
    mean = sum(load.lasted_s) / len(load.lasted_s)
    all_of_them = max(0, position - max(0, free)) * mean / load.slots
    share = max(1.0, _share(load, tenant))
    beyond = load.used.get(tenant, 0) + own - share if own else 0.0
    return max(all_of_them, beyond * mean / share)

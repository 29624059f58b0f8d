"""Whose turn it is, for any number of tenants and tickets."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from reverie.server.fair import TIERS, Load, Ticket, admitted, averaged, order, wait_s

tickets = st.lists(
    st.tuples(st.sampled_from("abc"), st.sampled_from(TIERS), st.integers(0, 5)), max_size=30
).map(lambda rows: [Ticket(str(n), tenant, tier, float(since)) for n, (tenant, tier, since) in enumerate(rows)])  # fmt: skip
recents = st.dictionaries(st.sampled_from("abc"), st.floats(0, 8), max_size=3)


@given(tickets, recents)
def test_everybody_is_served_once_tier_by_tier_and_a_tenants_own_in_the_order_they_came(waiting, recent) -> None:  # type: ignore[no-untyped-def]
    served = order(waiting, Load(0, {}, recent))
    assert sorted(served, key=lambda t: int(t.id)) == waiting
    assert [TIERS.index(t.tier) for t in served] == sorted(TIERS.index(t.tier) for t in waiting)
    for tenant in "abc":
        for tier in TIERS:
            mine = [t for t in served if (t.tenant, t.tier) == (tenant, tier)]
            assert mine == sorted(mine, key=lambda t: (t.since_s, t.id))


@given(tickets)
def test_no_tenant_is_more_than_one_turn_ahead_of_another_that_still_waits(waiting) -> None:  # type: ignore[no-untyped-def]
    for tier in TIERS:
        line = [t for t in order(waiting, Load(0)) if t.tier == tier]
        left, got = Counter(t.tenant for t in line), Counter[str]()
        for ticket in line:
            got[ticket.tenant] += 1
            left[ticket.tenant] -= 1
            assert all(got[ticket.tenant] - got[other] <= 1 for other in left if left[other])


@given(tickets, recents, st.integers(0, 12))
def test_no_more_are_admitted_than_there_are_places_and_a_free_place_finds_who_has_none(waiting, recent, slots) -> None:  # type: ignore[no-untyped-def]
    used = {"a": min(slots, 2)}
    load = Load(slots, used, recent)
    found = admitted(waiting, load)
    assert len(found) <= max(0, slots - sum(used.values()))
    assert len(set(found)) == len(found) and set(found) <= set(waiting)
    if slots > sum(used.values()):
        assert bool(found) == bool(waiting) or all(t.tenant == "a" for t in waiting)


def test_a_burst_finds_its_share_or_what_others_leave() -> None:
    burst = [Ticket(str(n), "burst", "standard", 0.0) for n in range(50)]
    steady = Ticket("steady", "steady", "standard", 9.0)
    load = Load(12, {"steady": 1}, {"steady": 6.0, "burst": 0.0})
    assert len(admitted(burst, load)) == 6  # its share of two tenants; 6 + sqrt(6) are kept for the other
    assert len(admitted(burst, Load(12, {}, {}))) == 12
    taken = Load(12, {"steady": 1, "burst": 6}, {"steady": 6.0, "burst": 5.0})
    assert admitted([*burst, steady], taken) == [steady]


def test_who_used_much_of_late_comes_later_and_priority_first() -> None:
    heavy, light = Ticket("1", "heavy", "standard", 0.0), Ticket("2", "light", "standard", 1.0)
    assert order([heavy, light], Load(0, {}, {"heavy": 4.0})) == [light, heavy]
    assert order([heavy, light], Load(0, {"heavy": 1})) == [light, heavy]
    assert order([heavy, light], Load(0)) == [heavy, light]
    assert order([light, Ticket("3", "new", "priority", 5.0)], Load(0))[0].id == "3"


def test_use_that_is_over_is_forgotten_by_half_a_minute_after_the_other() -> None:
    assert averaged(4.0, 0, 60.0) == 2.0 and averaged(0.0, 4, 60.0) == 2.0 and averaged(3.0, 3, 1e6) == 3.0


def test_the_wait_follows_from_how_long_visits_last_and_is_not_made_up() -> None:
    assert wait_s(1, Load(4, {"a": 4})) is None
    assert wait_s(2, Load(4, {"a": 4}, {}, (60.0, 100.0))) == 40.0
    assert wait_s(1, Load(4, {"a": 3}, {}, (60.0,))) == 0.0

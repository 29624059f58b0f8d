"""Whose turn it is, for any number of tenants and tickets."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from reverie.server.fair import (
    CROWD,
    FLEX,
    FURTHEST,
    HALF_LIFE_S,
    TIERS,
    Load,
    Ticket,
    admitted,
    averaged,
    order,
    rank,
    right,
    wait_s,
)

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
def test_no_more_are_admitted_than_there_are_places_and_a_free_place_finds_somebody(waiting, recent, slots) -> None:  # type: ignore[no-untyped-def]
    mine = min(slots, 2)
    load = Load(slots, {"a": mine}, recent, ranks={0: mine})
    found = admitted(waiting, load)
    ranks = Counter({0: mine})
    used, line = Counter({"a": mine}), Counter(each.tenant for each in waiting)
    for ticket in found:
        place = rank(ticket.tier, used[ticket.tenant], right(load, ticket.tenant), line[ticket.tenant])
        assert sum(number for each, number in ranks.items() if each <= place) < slots
        ranks[place] += 1
        used[ticket.tenant] += 1
        line[ticket.tenant] -= 1
    assert ranks.total() <= CROWD * slots
    assert len(set(found)) == len(found) and set(found) <= set(waiting)
    if slots > mine:
        assert bool(found) == bool(waiting)


@given(recents, st.integers(1, 12))
def test_rights_beyond_the_first_are_no_more_than_there_are_places(recent, slots) -> None:  # type: ignore[no-untyped-def]
    load = Load(slots, recent=recent)
    rights = [right(load, tenant) for tenant in recent]
    assert sum(each for each in rights if each > 1.0) <= slots + 1e-9


def test_a_burst_takes_what_nobody_uses_and_others_take_it_back_without_waiting() -> None:
    burst = [Ticket(f"{n:02}", "burst", "standard", 0.0) for n in range(50)]
    steady = [Ticket(f"s{n}", "steady", "standard", 9.0) for n in range(12)]
    load = Load(12, {"steady": 1}, {"steady": 6.0}, ranks={0: 1})
    assert len(admitted(burst, load)) == 11
    ranks = Counter(rank("standard", n, right(load, "burst")) for n in range(11))
    assert ranks[0] == 1 and sum(ranks.values()) == 11  # one place is everybody's right
    full = Load(12, {"steady": 1, "burst": 11}, {"steady": 6.0, "burst": 0.1}, ranks=ranks + Counter({0: 1}))
    found = admitted([*burst, *steady], full)
    assert len(found) >= 6 and {each.tenant for each in found} == {"steady"}
    assert not admitted(burst, full)


def test_a_little_more_is_much_for_who_used_little() -> None:
    assert [rank("standard", held, 1.0) for held in (0, 1, 2, 8)] == [0, 3, 5, 17]
    assert [rank("standard", held, 8.0) for held in (7, 8, 9, 10)] == [0, 1, 2, 3]
    assert rank("flex", 0, 8.0) == FLEX


def test_what_a_burst_takes_beyond_its_right_is_furthest_beyond_and_two_more_who_wait_are_chance() -> None:
    assert [rank("standard", held, 1.0, 50 - held) for held in (0, 1, 8)] == [0, FURTHEST, FURTHEST]
    assert [rank("standard", 4, 4.0, line) for line in (1, 2, 3, 4, 5)] == [2, 2, 2, 3, 5]


def test_who_used_much_of_late_comes_later_and_priority_first() -> None:
    heavy, light = Ticket("1", "heavy", "standard", 0.0), Ticket("2", "light", "standard", 1.0)
    assert order([heavy, light], Load(0, {}, {"heavy": 4.0})) == [light, heavy]
    assert order([heavy, light], Load(0, {"heavy": 1})) == [light, heavy]
    assert order([heavy, light], Load(0)) == [heavy, light]
    assert order([light, Ticket("3", "new", "priority", 5.0)], Load(0))[0].id == "3"


def test_use_that_is_over_is_forgotten_by_half_after_half_an_hour() -> None:
    assert averaged(4.0, 0, HALF_LIFE_S) == 2.0 and averaged(0.0, 4, HALF_LIFE_S) == 2.0
    assert averaged(3.0, 3, 1e6) == 3.0


def test_the_wait_follows_from_how_long_visits_last_and_is_not_made_up() -> None:
    full = {0: 4}
    assert wait_s(1, Load(4, {"a": 4}, ranks=full)) is None
    assert wait_s(2, Load(4, {"a": 4}, {}, (60.0, 100.0), full)) == 40.0
    assert wait_s(1, Load(4, {"a": 3}, {}, (60.0,), {0: 3})) == 0.0
    assert wait_s(1, Load(4, {"a": 4}, {}, (60.0,), {0: 3, FLEX: 1})) == 0.0


def test_one_of_a_burst_waits_for_places_of_its_tenant_to_end() -> None:
    load = Load(4, {"burst": 2, "a": 2}, {"a": 2.0}, (60.0,), {0: 4})
    assert wait_s(3, load, "burst", 3) == 90.0  # three visits of those two
    assert wait_s(3, load, "new", 1) == 45.0

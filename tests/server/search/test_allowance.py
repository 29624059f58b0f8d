from hypothesis import given
from hypothesis import strategies as st

from reverie.server.search.allowance import MOST_S, Allowance


@given(costs=st.lists(st.floats(0.001, 0.5), min_size=1, max_size=30), rate=st.floats(0.001, 0.2))
def test_work_that_is_done_only_while_something_is_left_stays_within_the_share(costs: list[float], rate: float) -> None:
    at, used = [0.0], [0.0]
    allowance = Allowance(rate, lambda: at[0], lambda: used[0])
    for n in range(400):
        at[0] += 0.25
        if allowance.is_left():
            used[0] += costs[n % len(costs)]
            at[0] += costs[n % len(costs)]
    assert used[0] <= allowance._rate * (at[0] + MOST_S) + max(costs)
    assert used[0] >= min(0.5 * allowance._rate * at[0], 0.5 * 400 * min(costs))


def test_what_is_owed_is_forgotten_after_a_while() -> None:
    at, used = [0.0], [0.0]
    allowance = Allowance(0.1, lambda: at[0], lambda: used[0])
    used[0] = 100.0
    assert not allowance.is_left()
    at[0] = 1.01 * MOST_S / allowance._rate
    assert allowance.is_left()

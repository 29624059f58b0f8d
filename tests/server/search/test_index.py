"""One contract, three indexes."""

from __future__ import annotations

import uuid
from dataclasses import replace

import numpy as np
import pytest
from redis import Redis

from reverie.models.search.space import unit
from reverie.server.keys import Keys
from reverie.server.search.ft_index import FtIndex
from reverie.server.search.index import ExactIndex, Filter, Index
from reverie.server.search.moments import Entry, Moment
from reverie.server.search.redis_index import RedisIndex

RNG = np.random.default_rng(5)


@pytest.fixture(params=["memory", "redis", "queries"])
def index(request: pytest.FixtureRequest) -> Index:
    if request.param == "memory":
        return ExactIndex()
    redis: Redis = request.getfixturevalue(request.param)
    return {"redis": RedisIndex, "queries": FtIndex}[request.param](redis, Keys(uuid.uuid4().hex), "local", "colours")


def entry(name: str, n: int, **known: object) -> Entry:
    vector = unit(np.eye(8, dtype=np.float32)[n % 8] + 0.01 * RNG.standard_normal(8).astype(np.float32))
    return Entry(replace(Moment(name, "s", float(n), n + 1.0), **known), {"source": vector})  # type: ignore[arg-type]


def axis(n: int) -> np.ndarray:
    return np.eye(8, dtype=np.float32)[n]


def test_the_nearest_come_first_with_their_cosines(index: Index) -> None:
    index.put([entry(str(n), n) for n in range(8)])
    found = index.near(axis(3), Filter(), 3)
    assert found[0][0] == "3" and found[0][1] == pytest.approx(1, abs=0.02) and len(found) == 3
    assert found == sorted(found, key=lambda pair: -pair[1])


@pytest.mark.parametrize(
    ("only", "expected"),
    [
        (Filter(session="a"), {"0", "1"}),
        (Filter(style='say "hi" \\'), {"2"}),
        (Filter(style=""), {"0", "1", "3"}),
        (Filter(after=2.5), {"2", "3"}),
        (Filter(before=2.0), {"0", "1"}),
        (Filter(after=1.5, before=2.5, session="b"), {"2"}),
        (Filter(session='a" or .begin > "0'), set()),
    ],
)
def test_filters_leave_only_what_they_allow(index: Index, only: Filter, expected: set[str]) -> None:
    index.put([
        entry("0", 0, session="a"), entry("1", 1, session="a"), entry("2", 2, session="b", style='say "hi" \\'),
        entry("3", 3, session="b"),
    ])  # fmt: skip
    assert {each for each, _ in index.near(unit(np.ones(8, np.float32)), only, 10)} == expected


def test_of_two_sides_the_nearer_counts_and_one_can_be_asked_for(index: Index) -> None:
    index.put([Entry(Moment("m", "s", 0, 1), {"source": axis(0), "output": axis(1)}), entry("n", 2)])
    assert [each for each, _ in index.near(axis(1), Filter(), 5)].count("m") == 1
    assert dict(index.near(axis(1), Filter(), 5))["m"] == pytest.approx(1, abs=0.02)
    assert dict(index.near(axis(1), Filter(side="source"), 5))["m"] == pytest.approx(0, abs=0.02)


def test_what_becomes_of_a_moment_replaces_it(index: Index) -> None:
    first = entry("m", 0, caption="a cat", words="hello")
    index.put([first])
    index.put([Entry(replace(first.moment, caption="a dog", end=9.0), {"source": axis(4)})])
    assert list(index.holding(["cat"])) == [] and list(index.holding(["dog"])) == ["m"]
    assert index.near(axis(4), Filter(), 1)[0][1] == pytest.approx(1, abs=0.02)
    assert [each.end for each in index.get(["m", "none"])] == [9.0]


def test_words_rank_what_holds_them(index: Index) -> None:
    index.put([entry("0", 0, caption="a red cat"), entry("1", 1, facts=("cat", "piano")), entry("2", 2, style="comic")])
    assert list(index.holding(["cat", "piano"])) == ["1", "0"]
    assert list(index.holding(["comic"])) == ["2"] and list(index.holding(["none"])) == []


def test_what_is_removed_is_gone(index: Index) -> None:
    index.put([entry(str(n), n, caption="cat") for n in range(4)])
    index.remove(["1", "2", "unknown"])
    assert {each for each, _ in index.near(axis(1), Filter(), 10)} == {"0", "3"} == index.ids()
    assert set(index.holding(["cat"])) == {"0", "3"} and index.get(["1"]) == []
    index.clear()
    assert index.ids() == set() and index.near(axis(1), Filter(), 10) == [] and list(index.holding(["cat"])) == []


def test_an_empty_index_answers_nothing(index: Index) -> None:
    assert index.near(axis(0), Filter(), 5) == [] and list(index.holding(["a"])) == [] and index.get([]) == []

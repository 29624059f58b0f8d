from dataclasses import replace

import numpy as np

from reverie.server.search.moments import GAP_S, LONGEST_S, Merger, Window, new_id

UP, ASIDE = np.array([0, 1], np.float32), np.array([1, 0], np.float32)


def window(begin: float, vector: np.ndarray = UP, style: str = "") -> Window:
    return Window(begin, begin + 1, {"source": vector}, style)


def test_what_stays_the_same_is_one_moment_with_a_beginning_and_an_end() -> None:
    merger = Merger("s")
    made = [merger.add(window(t)) for t in (10.0, 11.0, 12.0)]
    assert [fresh for _, fresh in made] == [True, False, False]
    last = made[-1][0].moment
    assert (last.id, last.begin, last.end) == (made[0][0].moment.id, 10.0, 13.0)


def test_another_sight_look_or_pause_begins_another() -> None:
    for other in (window(11, ASIDE), window(11, style="comic"), window(12 + GAP_S), window(10 + LONGEST_S)):
        merger = Merger("s")
        merger.add(window(10))
        entry, fresh = merger.add(other)
        assert fresh and entry.moment.begin == other.begin


def test_a_moment_points_to_the_middle_of_what_it_showed() -> None:
    merger, tilted = Merger("s"), np.array([np.sin(0.3), np.cos(0.3)], np.float32)
    merger.add(window(0))
    entry, fresh = merger.add(window(1, tilted))
    assert not fresh
    np.testing.assert_allclose(entry.vectors["source"], [np.sin(0.15), np.cos(0.15)], atol=1e-5)


def test_ids_sort_by_time_and_do_not_repeat() -> None:
    ids = [new_id(1e9 + n) for n in range(20)]
    assert ids == sorted(ids) and len({new_id(1e9) for _ in range(50)}) == 50


def test_a_moment_tells_what_held_most_of_the_time() -> None:
    merger = Merger("s")
    for n, facts in enumerate(
        (("1 person", "still"), ("1 person", "espresso"), ("1 person", "still"), ("2 people", "still"))
    ):
        entry, _ = merger.add(replace(window(float(n)), facts=facts))
    assert entry.moment.facts == ("1 person", "still") and entry.moment.caption == "1 person, still"


def test_what_was_said_belongs_to_the_moment_that_goes_on() -> None:
    merger = Merger("s")
    assert merger.say("too early") is None
    merger.add(window(0))
    merger.say("hello")
    entry = merger.say("  there ")
    assert entry is not None and entry.moment.words == "hello\nthere" and merger.say(" ") is None
    assert merger.add(window(1))[0].moment.words == "hello\nthere"

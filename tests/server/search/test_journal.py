from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from reverie.server.search.index import Filter
from reverie.server.search.journal import Journal
from reverie.server.search.moments import Entry, Moment


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "t" / "moments.sqlite")


def entry(name: str, session: str = "s", end: float = 5.0) -> Entry:
    vector = np.array([0.6, 0.8], np.float32)
    return Entry(
        Moment(name, session, 1.0, end, "comic", "a cat", ("1 person",), "hello", "recording:r", 2.5),
        {"output": vector},
    )


def test_a_moment_comes_back_as_it_was(journal: Journal) -> None:
    journal.put(entry("a"), "space", {("output", 0): b"webp"})
    (back,) = journal.entries(["a"])
    assert back.moment == entry("a").moment
    np.testing.assert_allclose(back.vectors["output"], [0.6, 0.8], atol=1e-3)
    assert journal.thumbnail("a", "output", 0) == b"webp" == journal.thumbnail("a", "output", 5)
    assert journal.thumbnail("a", "source", 0) is None and journal.thumbnails(["a", "b"]) == {
        "a": {"output": 1},
        "b": {},
    }


def test_followers_hear_of_what_is_new_and_of_what_changed(journal: Journal, tmp_path: Path) -> None:
    journal.put(entry("a"), "space")
    journal.put(entry("b"), "other space")
    seq, first = journal.since(0, "space")
    Journal(tmp_path / "t" / "moments.sqlite").put(entry("a", end=9.0), "space")  # another process
    later, changed = journal.since(seq, "space")
    assert [e.moment.id for e in first] == ["a"] and [e.moment.end for e in changed] == [9.0] and later > seq
    assert journal.since(later, "space") == (later, []) and journal.last() == later


def test_sessions_old_moments_or_all_are_forgotten_with_their_thumbnails(journal: Journal) -> None:
    for name, session, end in (("a", "s", 5.0), ("b", "s", 6.0), ("c", "t", 50.0), ("d", "u", 60.0)):
        journal.put(entry(name, session, end), "space", {("output", 0): b"x"})
    assert sorted(journal.delete(session="s")) == ["a", "b"]
    assert journal.thumbnail("a", "output", 0) is None
    assert journal.delete(ended_before=55.0) == ["c"]
    assert journal.delete(ids=["nothing"]) == [] and len(journal.newest(9)) == 1
    assert journal.delete() == ["d"] and journal.newest(9) == []


def test_the_newest_that_a_filter_allows_are_listed(journal: Journal) -> None:
    for n, (name, session) in enumerate((("a", "s"), ("b", "s"), ("c", "t"))):
        known = entry(name, session, 10.0 * n + 5)
        journal.put(replace(known, moment=replace(known.moment, begin=10.0 * n, style=name)), "space")
    listed = lambda only=Filter(), count=9: [each.id for each in journal.newest(count, only)]
    assert listed() == ["c", "b", "a"] and listed(count=1) == ["c"] and listed(Filter(session="s")) == ["b", "a"]
    assert listed(Filter(after=5.0, before=20.0)) == ["b"] and listed(Filter(style="c")) == ["c"]
    assert listed(Filter(style="")) == []


def test_the_newest_thumbnails_stay_under_the_cap(journal: Journal) -> None:
    for name in ("1", "2", "3"):
        journal.put(entry(name), "space", {("output", 0): b"x" * 100})
    assert journal.cap_thumbnails(250) == 1
    assert [journal.thumbnail(n, "output", 0) is None for n in ("1", "2", "3")] == [True, False, False]


def test_what_fails_in_the_middle_leaves_nothing_behind(journal: Journal) -> None:
    with pytest.raises(ValueError, match="no vector"):
        journal.put(replace(entry("a"), vectors={"output": "no vector"}), "space")  # type: ignore[dict-item]
    assert journal.entries(["a"]) == []
    journal.put(entry("a"), "space")
    assert len(journal.entries(["a"])) == 1


def test_footage_is_remembered_with_how_far_it_was_read(journal: Journal) -> None:
    assert journal.footage("x.mp4") == ("", 0)
    journal.note_footage("x.mp4", "stamp", 7)
    assert journal.footage("x.mp4") == ("stamp", 7)


def test_a_journal_of_an_older_version_is_read_and_written(tmp_path: Path) -> None:
    path = tmp_path / "moments.sqlite"
    journal = Journal(path)
    journal.put(entry("1"), "space")
    journal._db.execute("ALTER TABLE moments DROP COLUMN hints")
    journal.close()
    journal = Journal(path)
    journal.put(entry("2"), "space")
    assert [each.moment.hints for each in journal.since(0, "space")[1]] == [(), ()]
    journal.close()

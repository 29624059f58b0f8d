"""Moments in memory and in cells are asked as one."""

from __future__ import annotations

import time
import uuid
from pathlib import Path

import numpy as np
import pytest

from reverie.models.search.space import unit
from reverie.server.keys import Keys
from reverie.server.search import cold as module
from reverie.server.search.archive import Archive, Query
from reverie.server.search.cells import Cells
from reverie.server.search.index import Filter
from reverie.server.search.moments import Entry, Moment

RNG = np.random.default_rng(2)
MANY = 60
VECTORS = unit(RNG.standard_normal((MANY, 2, 8)).astype(np.float32))


def entry(n: int) -> Entry:
    about = Moment(f"{n:03}", f"s{n % 3}", n, n + 1.0, caption=f"word{n} shared", style="comic" if n % 2 else "")
    return Entry(about, {"source": VECTORS[n, 0], "output": VECTORS[n, 1]})


@pytest.fixture(params=["memory", "redis"])
def archive(request: pytest.FixtureRequest, folder: Path, colours, monkeypatch: pytest.MonkeyPatch) -> Archive:  # type: ignore[no-untyped-def]
    """The oldest 50 of 60 are cold."""
    monkeypatch.setattr(module, "DELTA", 40)
    redis = request.getfixturevalue("redis") if request.param == "redis" else None
    archive = Archive(folder, colours, redis, Keys(uuid.uuid4().hex))
    for n in range(MANY):
        archive.put("ada", entry(n))
    assert archive.cool("ada", 10) == 50 and archive.cool("ada", 10) == 0
    return archive


def near(archive: Archive, vector: np.ndarray, only: Filter = Filter(), limit: int = 5) -> list[str]:
    return [hit.moment.id for hit in archive.find("ada", Query(vector=vector, only=only, limit=limit))]


def test_a_question_finds_what_is_in_memory_and_what_is_not(archive: Archive) -> None:
    assert archive._shelf("ada").index.ids() == {f"{n:03}" for n in range(50, 60)}
    for n in (0, 25, 49, 50, 59):
        assert near(archive, VECTORS[n, 0])[0] == near(archive, VECTORS[n, 1])[0] == f"{n:03}"
        assert [hit.moment.id for hit in archive.find("ada", Query(f"word{n}", mode="words"))] == [f"{n:03}"]
    (best, *_) = archive.find("ada", Query(vector=VECTORS[3, 1], limit=3))
    assert best.cosine == pytest.approx(1, abs=0.02) and best.moment.style == "comic"
    assert len(archive.find("ada", Query("shared", mode="words", limit=100))) == MANY


@pytest.mark.parametrize("few", [0, 2000])
def test_filters_hold_for_cold_moments(archive: Archive, few: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FEW", few)
    assert near(archive, VECTORS[4, 0], Filter(session="s1"))[0] == "004"
    assert set(near(archive, VECTORS[4, 0], Filter(session="s0"), 100)) == {f"{n:03}" for n in range(0, 60, 3)}
    assert set(near(archive, VECTORS[4, 0], Filter(before=5.5, style=""), 100)) == {"000", "002", "004"}
    (hit,) = archive.find("ada", Query(vector=VECTORS[4, 0], only=Filter(after=4.5, before=4.9, side="output")))
    assert hit.cosine == pytest.approx(float(VECTORS[4, 0] @ VECTORS[4, 1]), abs=0.02)


def test_what_is_deleted_is_gone_from_the_cells_too(archive: Archive, folder: Path) -> None:
    assert archive.delete("ada", "s1") == 20
    assert near(archive, VECTORS[4, 0])[0] != "004"
    assert archive.find("ada", Query("word4", mode="words")) == []
    archive.cool("ada", 10)
    (place,) = (folder / "ada" / "cells").glob("*/*")
    held = np.concatenate([ids for ids, _ in Cells(str(place))._everything()])
    assert len(held) == 2 * 33  # 17 of the 50 were of s1
    archive.delete("ada")
    archive.cool("ada", 10)
    assert not place.exists() and near(archive, VECTORS[0, 0]) == []


def test_a_cold_moment_that_goes_on_is_hot_again(archive: Archive) -> None:
    archive.put("ada", Entry(Moment("004", "s1", 4.0, time.time(), caption="later"), {"source": VECTORS[5, 0]}))
    assert set(near(archive, VECTORS[5, 0])[:2]) == {"005", "004"} and near(archive, VECTORS[4, 0])[0] != "004"
    assert archive.find("ada", Query("word4", mode="words")) == []
    assert "004" in archive._shelf("ada").index.ids()


def test_old_moments_move_whatever_their_number(archive: Archive) -> None:
    assert archive.cool("ada", 10**6, days=1) == 10 and archive._shelf("ada").index.ids() == set()
    assert near(archive, VECTORS[59, 0])[0] == "059"


@pytest.mark.parametrize("step", [0, 1, 2])
def test_a_crash_while_moments_move_loses_and_doubles_none(  # type: ignore[no-untyped-def]
    folder: Path, colours, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    redis, keys = request.getfixturevalue("redis"), Keys(uuid.uuid4().hex)
    archive = Archive(folder, colours, redis, keys)
    for n in range(20):
        archive.put("ada", entry(n))
    shelf, steps = archive._shelf("ada"), 0

    def crashing(real):  # type: ignore[no-untyped-def]
        def act(*given: object, **known: object) -> object:
            nonlocal steps
            if steps == step:
                raise InterruptedError
            steps += 1
            return real(*given, **known)

        return act

    for owner, name in ((Cells, "add"), (shelf.journal, "make_cold"), (shelf.index, "remove")):
        monkeypatch.setattr(owner, name, crashing(getattr(owner, name)))
    with pytest.raises(InterruptedError):
        archive.cool("ada", 5)
    monkeypatch.undo()
    archive.close()
    again = Archive(folder, colours, redis, keys)
    for _ in range(2):
        assert [near(again, VECTORS[n, 0])[0] for n in range(20)] == [f"{n:03}" for n in range(20)]
        assert len(near(again, VECTORS[0, 0], limit=100)) == 20
        again.cool("ada", 5)
    assert len(again._shelf("ada").index.ids()) == 5


def test_an_index_that_was_lost_is_made_anew_from_the_journal(folder: Path, colours, redis) -> None:  # type: ignore[no-untyped-def]
    archive = Archive(folder, colours, redis, Keys(uuid.uuid4().hex))
    for n in range(5):
        archive.put("ada", entry(n))
    redis.flushall()
    assert near(archive, VECTORS[3, 0])[0] == "003"
    assert archive._shelf("ada").index.ids() == {f"{n:03}" for n in range(5)}


def test_cells_may_lie_wherever_fsspec_reaches(tmp_path: Path, colours) -> None:  # type: ignore[no-untyped-def]
    archive = Archive(tmp_path, colours, cells=f"memory://{uuid.uuid4().hex}")
    for n in range(20):
        archive.put("ada", entry(n))
        archive.put("bob", entry(59 - n))
    assert archive.cool("ada", 1) == 19 == archive.cool("bob", 1)
    assert near(archive, VECTORS[3, 0])[0] == "003" and "059" not in near(archive, VECTORS[59, 0], limit=100)

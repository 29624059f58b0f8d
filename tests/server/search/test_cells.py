"""On a local folder and on fsspec's memory, which stands for a store that only has whole files."""

from __future__ import annotations

import json
import uuid
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reverie.models.search.space import unit
from reverie.server.search import cells as module
from reverie.server.search.cells import Cells

RNG = np.random.default_rng(3)


def mixture(count: int, width: int = 32, centres: int = 20) -> np.ndarray:
    middle = RNG.standard_normal((centres, width))
    return unit(
        (middle[RNG.integers(0, centres, count)] + 0.3 * RNG.standard_normal((count, width))).astype(np.float32)
    )


@pytest.fixture(params=["folder", "memory"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return str(tmp_path / "cells") if request.param == "folder" else f"memory://{uuid.uuid4().hex}/cells"


def exact(vectors: np.ndarray, asked: np.ndarray, count: int) -> set[int]:
    return set(np.argsort(-(vectors @ asked))[:count].tolist())


def test_neighbours_are_found_in_a_few_cells(url: str) -> None:
    vectors, store = mixture(3000), Cells(url)
    for n in range(0, 3000, 1000):
        store.add(np.arange(n, n + 1000), vectors[n : n + 1000])
    store.compact(40, 1000)
    shared = sum(len(exact(vectors, a, 10) & {i for i, _ in store.near(a, 10, 6)}) for a in vectors[::100])
    assert shared >= 0.9 * 30 * 10
    assert 3000 <= len(store) < 6000
    (nearest, cosine), *_ = store.near(vectors[7], 3)
    assert nearest == 7 and cosine == pytest.approx(1, abs=0.01)


def test_what_is_added_is_found_at_once_and_stays_when_it_is_compacted(url: str) -> None:
    vectors, store = mixture(300), Cells(url)
    store.add(np.arange(200), vectors[:200])
    store.compact(8)
    store.add(np.arange(200, 300), vectors[200:])
    assert store.near(vectors[250], 1)[0][0] == 250 == Cells(url).near(vectors[250], 1)[0][0]
    store.compact(8)
    again = Cells(url)
    assert [again.near(v, 1, 8)[0][0] for v in vectors] == list(range(300))


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(step=st.integers(0, 12))
def test_a_crash_at_any_step_of_compaction_loses_and_doubles_nothing(tmp_path: Path, step: int) -> None:
    url, vectors = str(tmp_path / uuid.uuid4().hex), mixture(120)
    store = Cells(url)
    store.add(np.arange(60), vectors[:60])
    store.compact(4)
    store.add(np.arange(60, 120), vectors[60:])
    _crash_after(step, store)
    after = Cells(url)
    found = after.near(vectors[100], 120, 4)
    assert sorted(each for each, _ in found) == list(range(120))
    assert sorted(each for ids, _ in after._everything() for each in ids) == list(range(120))
    after.compact(4)
    assert sorted(each for each, _ in Cells(url).near(vectors[0], 120, 4)) == list(range(120))


def _crash_after(step: int, store: Cells) -> None:
    """Let the store do so many things to files, then stop for good."""
    fs, done = store._fs, [0]

    class Crash(Exception):
        pass

    class Failing:
        def __getattr__(self, name: str) -> object:
            real = getattr(fs, name)
            if name not in ("pipe_file", "mv", "rm", "put_file"):
                return real

            def act(*given: object, **known: object) -> object:
                if done[0] == step:
                    raise Crash
                done[0] += 1
                return real(*given, **known)

            return act

    store._fs = Failing()
    with suppress(Crash):
        store.compact(4)


def test_a_store_without_vectors_says_so(url: str) -> None:
    store = Cells(url)
    assert store.near(np.ones(4, np.float32), 3) == [] and len(store) == 0
    with pytest.raises(ValueError, match="no vectors"):
        store.compact(4)


def test_only_the_asked_cells_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, vectors = Cells(str(tmp_path / "c")), mixture(500)
    store.add(np.arange(500), vectors)
    store.compact(20)
    read: list[int] = []
    real = store._ranges
    monkeypatch.setattr(store, "_ranges", lambda cells: read.extend(cells) or real(cells))
    store.near(vectors[0], 5, 3)
    assert len(read) == 3
    monkeypatch.setattr(module, "ROWS", 1)
    store.near(vectors[0], 5, 3)
    assert len(read) == 4  # the nearest, however large
    monkeypatch.setattr(module, "ROWS", 500)
    monkeypatch.setattr(module, "FURTHER", 1.0)
    store.near(vectors[0], 5, 20)
    assert len(read) == 4 + module.LEAST  # others are too far to hold neighbours
    store.near(vectors[0], 5, 20, lambda ids: ids > 0)
    assert len(read) > 4 + 2 * module.LEAST  # but a filter may leave nothing of the nearest
    assert json.loads((tmp_path / "c" / "current.json").read_text())["taken"] and module.Layout

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import fsspec
import numpy as np
import pytest

from reverie.server.search import clusters
from reverie.server.search.clusters import build, cells_for, cells_of, kmeans, packed, sampled, split, unpacked


def test_kmeans_finds_clusters_that_are_there() -> None:
    rng = np.random.default_rng(0)
    middle = 10 * rng.standard_normal((5, 8)).astype(np.float32)
    x = np.repeat(middle, 40, 0) + 0.1 * rng.standard_normal((200, 8)).astype(np.float32)
    centres = kmeans(x, 12)
    nearest = np.sqrt(((middle[:, None] - centres[None]) ** 2).sum(2)).min(1)
    assert (nearest < 1).all()


def test_a_vector_between_two_cells_lies_in_both() -> None:
    centres = np.array([[0, 0], [10, 0], [0, 99]], np.float32)
    assert cells_of(np.array([[4.9, 0], [1, 0]], np.float32), centres).tolist() == [[0, 1], [0, -1]]
    assert cells_of(np.array([[4.9, 0]], np.float32), centres[:1]).tolist() == [[0, -1]]


def test_samples_are_drawn_from_everything_that_comes() -> None:
    chunks = lambda begin: ((np.arange(100), np.full((100, 2), n, np.float32)) for n in range(50))
    x, total = sampled(chunks, 400)
    assert total == 5000 and len(x) == 400
    assert len(np.unique(x[:, 0])) > 40


def test_a_packed_row_holds_its_vector_scale_and_id() -> None:
    vectors = np.array([[0.5, -1.0], [0.0, 0.0]], np.float32)
    raw = packed(np.array([7, 2**40]), vectors)
    assert raw.shape == (2, 14)
    scales = np.ascontiguousarray(raw[:, 2:6]).view(np.float32)
    np.testing.assert_allclose(raw[:, :2].view(np.int8) * scales, vectors, atol=0.005)
    assert np.ascontiguousarray(raw[:, 6:]).view(np.int64)[:, 0].tolist() == [7, 2**40]


@pytest.mark.parametrize("stop", [1, 5, 9, 12, 15])
def test_a_build_that_was_stopped_goes_on_and_makes_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stop: int
) -> None:
    monkeypatch.setattr(clusters, "WRITTEN_AT_ONCE", 100)
    x = np.random.default_rng(5).standard_normal((6, 50, 8)).astype(np.float32)
    drawn = 0

    def chunks(begin: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        nonlocal drawn
        for n in range(begin, 6):
            drawn += 1
            if drawn == stop:
                raise InterruptedError
            yield np.arange(50 * n, 50 * n + 50), x[n]

    made = []
    for name in ("whole", "stopped"):
        drawn, root = (100 if name == "whole" else 0), str(tmp_path / name)
        fs = fsspec.filesystem("file")
        make = lambda fs=fs, root=root: build(fs, root, chunks, 12, 200, [], kept=tmp_path / "kept")
        if name == "stopped":
            with pytest.raises(InterruptedError):
                make()
        made.append((tmp_path / name / f"{make()}.bin").read_bytes())
        assert json.loads((tmp_path / name / "current.json").read_text()) and not (tmp_path / "kept").exists()
    assert made[0] == made[1] and drawn <= 18 + (stop if stop <= 6 else 2)  # three passes of six chunks


def test_cells_grow_with_the_root_of_what_they_hold_once_there_is_much() -> None:
    assert [cells_for(n) for n in (100, 10**5, 10**6, 10**7)] == [16, 250, 2500, 10119]


def test_a_cell_that_drew_in_too_much_is_split_and_no_row_is_lost() -> None:
    rng = np.random.default_rng(2)
    middle = 10 * rng.standard_normal((30, 8)).astype(np.float32)
    many = np.repeat(middle, 400, 0) + 0.1 * rng.standard_normal((12_000, 8)).astype(np.float32)
    few = rng.standard_normal((300, 8)).astype(np.float32)
    table = packed(np.arange(12_300), np.concatenate((few, rng.permutation(many))))
    before = {bytes(row) for row in table}
    begins, centres = split(table, np.array([0, 100, 200, 300, 12_300]), np.zeros((4, 8), np.float32))
    sizes = np.diff(begins)
    assert len(centres) == len(sizes) and begins[3] == 300 and sizes.sum() == 12_300 and (sizes > 0).all()
    assert {bytes(row) for row in table} == before
    assert sizes.max() <= 1600
    for begin, end, centre in zip(begins[3:], begins[4:], centres[3:], strict=False):
        assert np.abs(unpacked(table[begin:end])[1].mean(0) - centre).max() < 3

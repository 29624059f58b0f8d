"""Weights on disk: whole or a clear word."""

import json
from pathlib import Path

import pytest
import torch

from reverie.models import weights


def saved(folder: Path) -> Path:
    path = folder / "some.safetensors"
    weights.save(path, {"a": torch.arange(6.0).view(2, 3)}, {"name": "some"})
    return path


def test_saved_weights_come_back_in_float32_with_their_description(tmp_path: Path) -> None:
    path = saved(tmp_path)
    assert torch.equal(weights.load(path)["a"], torch.arange(6.0).view(2, 3))
    assert weights.load(path)["a"].dtype == torch.float32
    assert weights.describe(path) == {"name": "some"}
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("keep", [0, 4, 8, 20, -3])
def test_a_cut_file_is_called_damaged(tmp_path: Path, keep: int) -> None:
    path = saved(tmp_path)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(ValueError, match=r"some\.safetensors are damaged"):
        weights.load(path)
    if keep >= 0:
        with pytest.raises(ValueError, match="damaged"):
            weights.describe(path)


def test_a_huge_header_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "huge.safetensors"
    path.write_bytes((2**60).to_bytes(8, "little") + json.dumps({}).encode())
    with pytest.raises(ValueError, match="damaged"):
        weights.describe(path)


def test_missing_weights_are_named(tmp_path: Path) -> None:
    for read in (weights.load, weights.describe):
        with pytest.raises(FileNotFoundError, match=r"none\.safetensors are missing"):
            read(tmp_path / "none.safetensors")

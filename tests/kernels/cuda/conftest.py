"""CUDA tests share the programs of tests/rig and the cases of tests/rig/cases.py."""

import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parents[1]), str(HERE.parent), str(HERE.parents[1] / "bench")]


@pytest.fixture(scope="session")
def ptx(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The kernel in PTX, compiled once; only where nvcc is."""
    from reverie.kernels.cuda.compiler import to_ptx

    path = tmp_path_factory.mktemp("ptx") / "kernel.ptx"
    to_ptx(path)
    return path

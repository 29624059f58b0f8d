"""One real OBS with our script, and one server, for the tests of a file: idle, it still paints with half a core."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).resolve().parents[2]))

from rig.node import Node, serve
from rig.obs import Obs, missing, running

SCRIPT = Path(__file__).resolve().parents[3] / "client" / "obs" / "reverie.py"


@pytest.fixture(scope="module")
def toy() -> Iterator[Node]:
    with serve("toy") as node:
        yield node


@pytest.fixture(scope="module")
def obs(toy: Node, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Obs]:
    if absent := missing():
        pytest.skip(f"not installed: {absent} (Debian: obs-studio, xvfb)")
    looks = {"url": toy.url, "presets": "invert\nred\nblue", "transition_s": 0.0}
    with running(tmp_path_factory.mktemp("obs"), SCRIPT, looks) as obs:
        yield obs

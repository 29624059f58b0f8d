"""One server with the toy model for the SDK's tests."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).resolve().parents[1]))

from rig.node import Node, serve


@pytest.fixture(scope="session")
def toy() -> Iterator[Node]:
    with serve("toy", "--max-sessions", "2") as node:
        yield node

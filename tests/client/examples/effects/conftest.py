"""The example effects, as the server loads them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from reverie.server.effect_worker import Function, load

EFFECTS = Path(__file__).resolve().parents[4] / "client" / "examples" / "effects"


@pytest.fixture
def effect() -> Callable[[str], Function]:
    return lambda name: load(str(EFFECTS / f"{name}.py"))[0]

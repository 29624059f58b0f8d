"""Model tests share the shipped weights in bytes, and the programs of tests/rig."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from reverie.models import checkpoint, weights
from reverie.models.config import NANO
from reverie.models.parts import Parts


@pytest.fixture(scope="session")
def parts() -> Parts:
    """`nano` in bytes."""
    ranges = json.loads(weights.SHIPPED.with_suffix(".ranges.json").read_text())
    return Parts(NANO, checkpoint.floats(weights.SHIPPED), ranges)

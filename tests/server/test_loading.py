"""The model's loading beside the server's imports."""

import subprocess
import sys

import pytest

from reverie.models import registry
from reverie.models.toy import ToyModel
from reverie.server import loading
from reverie.server.settings import Settings


def test_what_was_begun_is_a_model_that_has_taken_its_first_steps() -> None:
    warm = loading.begin(Settings(model="toy")).result(30)
    assert isinstance(warm.model, ToyModel) and warm.step_s > 0


def test_whatever_the_loader_trips_over_is_handed_to_who_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*wanted: object) -> None:
        raise FileNotFoundError("weights are missing")

    monkeypatch.setattr(registry, "load", fail)
    assert str(loading.begin(Settings()).exception(30)) == "weights are missing"


def test_it_begins_before_the_servers_heavy_modules_are_imported() -> None:
    code = "import sys, reverie.server.loading; print(*{'uvicorn', 'fastapi', 'aiortc', 'av'} & set(sys.modules))"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == ""

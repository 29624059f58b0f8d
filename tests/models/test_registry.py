"""Names of models."""

import subprocess
import sys

import pytest

from reverie.models import registry


def test_unknown_names_are_refused_with_those_that_exist() -> None:
    with pytest.raises(ValueError, match="no model 'none'; there is nano"):
        registry.load("none")


def test_a_device_it_cannot_run_on_is_refused() -> None:
    with pytest.raises(ValueError, match="not on 'abacus'"):
        registry.load("nano", "abacus")


def test_listing_models_needs_no_torch() -> None:
    text = "import sys; from reverie.models import registry; registry.describe(); print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", text], capture_output=True, text=True).stdout.strip() == "False"

"""Decart's own packages, pinned, each in a place of its own; absent registries skip with their own words."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest

HERE = Path(__file__).parent
sys.path.append(str(HERE.parent))
from rig.alone import alone  # noqa: E402
from rig.decart import CACHE, installed  # noqa: E402
from rig.node import Node, serve  # noqa: E402


@cache
@alone(CACHE / "environments.lock")
def environment(requirement: str) -> Path:
    """The Python of a virtual environment with one package.  Raises RuntimeError with pip's last words.

    A file of its name beside this one pins what it needs.
    """
    pins = HERE / f"{requirement.replace('==', '-')}.txt"
    wanted = ["--no-deps", "-r", str(pins)] if pins.exists() else [requirement]
    folder = CACHE / requirement.replace("==", "-").replace("[", "-").replace("]", "")
    python, done = folder / "bin" / "python", folder / "complete"
    if not done.exists():
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", folder], check=True, capture_output=True)
        pip = [python, "-m", "pip", "install", "-q", "--no-compile", *wanted]
        installed = subprocess.run(pip, capture_output=True, text=True)
        if installed.returncode:
            raise RuntimeError(f"{requirement} cannot be installed: {installed.stderr.strip()[-200:]}")
        done.touch()
    return python


@pytest.fixture(scope="session")
def python_with() -> Callable[[str], Path]:
    def found(requirement: str) -> Path:
        try:
            return environment(requirement)
        except RuntimeError as missing:
            pytest.skip(str(missing))

    return found


@pytest.fixture(scope="session")
def modules() -> Path:
    """The folder of tests/conformance/js with its packages installed."""
    try:
        return installed()
    except RuntimeError as missing:
        pytest.skip(str(missing))


@pytest.fixture(scope="session")
def toy() -> Iterator[Node]:
    with serve("toy") as node:
        yield node

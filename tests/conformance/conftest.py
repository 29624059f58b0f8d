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
from rig.node import Node, serve  # noqa: E402

CACHE = Path.home() / ".cache" / "reverie" / "test"


@cache
def environment(requirement: str) -> Path:
    """The Python of a virtual environment with one package.  Raises RuntimeError with pip's last words."""
    folder = CACHE / requirement.replace("==", "-").replace("[", "-").replace("]", "")
    python, done = folder / "bin" / "python", folder / "complete"
    if not done.exists():
        shutil.rmtree(folder, ignore_errors=True)
        for command in (["-m", "venv", str(folder)],):
            subprocess.run([sys.executable, *command], check=True, capture_output=True)
        installed = subprocess.run([python, "-m", "pip", "install", "-q", requirement], capture_output=True, text=True)
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
    folder = CACHE / "decart-js"
    if shutil.which("npm") is None or shutil.which("node") is None:
        pytest.skip("node and npm are not installed")
    wanted = (HERE / "js" / "package.json").read_text()
    if not (folder / "complete").exists() or (folder / "complete").read_text() != wanted:
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(HERE / "js" / "package.json", folder)
        done = subprocess.run(["npm", "install", "--silent", "--no-audit"], cwd=folder, capture_output=True, text=True)
        if done.returncode:
            pytest.skip(f"npm install: {(done.stderr or done.stdout).strip()[-200:]}")
        (folder / "complete").write_text(wanted)
    for script in (HERE / "js").glob("*.js"):
        shutil.copy(script, folder)
    return folder


@pytest.fixture(scope="session")
def toy() -> Iterator[Node]:
    with serve("toy") as node:
        yield node

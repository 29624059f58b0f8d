"""npm packages that tests use: installed once into build/, pinned by a package.json beside the tests."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from rig.alone import alone

ROOT = Path(__file__).parents[2]


def installed(package_json: Path) -> Path:
    """The folder that holds node_modules.  Skips the test, with npm's words, where npm cannot."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("node and npm are not installed")
    folder = ROOT / "build" / "npm" / package_json.parent.name
    with alone(folder.with_suffix(".lock")):
        _install(package_json, folder)
    return folder


def _install(package_json: Path, folder: Path) -> None:
    done = folder / "package.json"
    if not done.exists() or done.read_bytes() != package_json.read_bytes():
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(package_json, folder / "wanted.json")
        (folder / "package.json").unlink(missing_ok=True)
        pinned = subprocess.run(
            ["npm", "install", "--no-audit", "--no-fund", "--no-package-lock", "--prefix", str(folder), *_wanted(package_json)],
            capture_output=True, text=True, timeout=300,
        )  # fmt: skip
        if pinned.returncode:
            pytest.skip(f"npm cannot install what {package_json} names: {pinned.stderr.strip()[-300:]}")
        shutil.move(folder / "wanted.json", done)


def _wanted(package_json: Path) -> list[str]:
    import json

    return [f"{name}@{version}" for name, version in json.loads(package_json.read_text())["dependencies"].items()]

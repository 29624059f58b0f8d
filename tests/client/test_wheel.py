"""The SDK as a package of its own."""

import os
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import av

ROOT = Path(__file__).resolve().parents[2]


def test_the_wheel_works_alone(tmp_path: Path) -> None:
    tree = tmp_path / "client"
    shutil.copytree(ROOT / "client", tree, ignore=shutil.ignore_patterns("__pycache__", "build", "*.egg-info"))
    build = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "-q",
        "--no-deps",
        "--no-build-isolation",
        "-w",
        str(tmp_path),
        str(tree),
    ]
    subprocess.run(build, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("reverie_client-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        held = {Path(name).name for name in archive.namelist() if name.startswith("reverie/client/")}
        archive.extractall(tmp_path / "site")
    assert held == {path.name for path in (ROOT / "client").glob("*.py")} | {
        path.name for path in (ROOT / "client/obs").glob("*.py")
    } | {"py.typed"}
    code = "import reverie.client as c, importlib.util as u; c.connect, c.sync; assert u.find_spec('reverie.server') is None; print(c.__file__)"
    paths = os.pathsep.join((str(tmp_path / "site"), str(Path(av.__file__).parents[1])))
    run = subprocess.run([sys.executable, "-S", "-c", "import reverie.client.sync; " + code], capture_output=True, text=True,
                         env={"PYTHONPATH": paths, "PATH": os.environ["PATH"]})  # fmt: skip
    assert run.returncode == 0, run.stderr
    assert run.stdout.startswith(str(tmp_path))


def test_both_packages_are_of_one_version() -> None:
    read = lambda path: tomllib.loads((ROOT / path).read_text())["project"]
    sdk, all_ = read("client/pyproject.toml"), read("pyproject.toml")
    assert sdk["version"] == all_["version"]
    assert set(sdk["dependencies"]) <= set(all_["dependencies"])

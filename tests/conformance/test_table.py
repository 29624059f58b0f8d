"""The table of SDK versions in the documentation names what is tested, and nothing else."""

import json
import re
from pathlib import Path

HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "client" / "docs" / "migrate.md"


def test_the_table_names_the_packages_that_are_tested() -> None:
    named = set(re.findall(r"^\| (?:npm|PyPI) (\S+ \S+) \|", PAGE.read_text(), re.M))
    wanted = json.loads((HERE / "js" / "package.json").read_text())["dependencies"]
    tested = {f"{name} {version}" for name, version in wanted.items() if "decart" in name}
    for name, version in re.findall(r'"([\w-]+)(?:\[\w+\])?==([\d.]+)"', (HERE / "test_python_sdk.py").read_text()):
        tested.add(f"{name} {version}")
    assert named == tested and len(named) >= 3

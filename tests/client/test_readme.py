"""The program in the README runs as it is printed, with frames instead of a camera and this server's address."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import reverie.client
from reverie.client import Frames


def test_the_program_in_the_readme_runs(toy: Any, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    (program,) = re.findall(r"```python\n(.*?)```", (Path(__file__).parents[2] / "README.md").read_text(), re.S)
    assert len(program.splitlines()) < 20
    pictures = [np.full((240, 320, 3), (200, 60, 60), np.uint8)] * 330
    monkeypatch.setattr(reverie.client, "Camera", lambda number: Frames(pictures, fps=120), raising=False)
    program = program.replace("http://127.0.0.1:8080", toy.url)
    exec(compile(program, "README.md", "exec"), {})
    told = capsys.readouterr().out.splitlines()
    assert told[0].startswith("(240, 320, 3)")

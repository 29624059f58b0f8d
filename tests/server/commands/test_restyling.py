"""Footage on the command line as a user meets it."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from reverie.server.cli import main


def reverie(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "reverie.server", *words], capture_output=True, text=True, timeout=120)


def test_restyle_prints_one_json_object_last(
    make_clip: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clip = make_clip("in.mp4")
    words = ["restyle", str(clip), str(tmp_path / "out.mp4"), "--prompt", "invert", "--model", "toy", "--json"]
    assert main(words) == 0
    report = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert set(report) == {"frames", "fps", "step_ms", "render", "resolution", "device", "model"}


def test_a_bad_input_is_one_line_and_code_2(tmp_path: Path) -> None:
    done = reverie("restyle", str(tmp_path / "none.mp4"), str(tmp_path / "out.mp4"), "--prompt", "x", "--model", "toy")
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.splitlines() == [f"reverie restyle: {tmp_path / 'none.mp4'} does not exist"]

"""`reverie profile` on the real model."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from reverie.models.profile import profile


def test_both_models_are_in_the_report() -> None:
    program, events, report = profile(2, True)
    assert {program.models[program.nodes[e[2]].model] for e in events} == {"video", "decode"}
    assert {kind.name for kind in report.kinds} >= {"Conv", "Attention", "Project"}
    assert 0 < report.critical_ms <= report.span_ms * 1.001
    assert report.streamed_gbs > 0


def test_less_than_one_frame_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1, got 0"):
        profile(0, False)


def test_the_command_writes_a_trace_and_says_what_to_try(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "reverie.server",
        "profile",
        "--frames",
        "1",
        "--no-llm",
        "--out",
        str(tmp_path / "t.json"),
    ]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "bottleneck" in done.stdout and "Try:" in done.stdout
    assert len(json.loads((tmp_path / "t.json").read_text())["traceEvents"]) > 200

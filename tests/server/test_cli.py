"""The command line as a user meets it."""

import json
import socket
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


def test_models_lists_what_is_here(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)["models"]
    assert set(row) == {"name", "params_millions", "gop_per_frame", "resolution", "licence"}
    assert main(["models"]) == 0
    assert "nano" in capsys.readouterr().out


@pytest.mark.parametrize("words", [["bench"], ["bench", "none"], ["bench", "--json"]])
def test_an_unknown_benchmark_names_those_that_exist(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 2
    assert "engine" in capsys.readouterr().err


def test_a_taken_port_is_one_line_and_code_2() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = reverie("serve", "--port", str(taken.getsockname()[1]), "--model", "toy")
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1 and "the port is in use" in done.stderr


def test_an_unknown_model_device_or_port_is_refused_at_once() -> None:
    none = (
        (["--model", "none"], "no model"),
        (["--device", "cuda"], "not on 'cuda'"),
        (["--port", "70000"], "port must be"),
    )
    for words, said in none:
        done = reverie("serve", *words)
        assert (done.returncode, len(done.stderr.splitlines())) == (2, 1) and said in done.stderr


def test_help_needs_nothing_heavy() -> None:
    heavy = "import sys; from reverie.server.cli import main\ntry: main(['--help'])\nexcept SystemExit: pass\n"
    done = subprocess.run(
        [sys.executable, "-c", heavy + "print([m for m in ('torch', 'cv2', 'av', 'numpy', 'aiortc') if m in sys.modules])"],
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.stdout.splitlines()[-1] == "[]"

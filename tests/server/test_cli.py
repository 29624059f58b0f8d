"""The command line as a user meets it."""

import json
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

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


def test_models_lists_what_is_here_and_what_can_be_had(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("REVERIE_DATA", str(tmp_path))
    assert main(["models", "--json"]) == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)["models"]}
    known = {"name", "here", "params_millions", "gop_per_frame", "resolution", "vram_gb", "licence", "commercial_use"}
    assert all(set(row) == {*known, "speed"} for row in rows.values())
    assert rows["nano"]["here"] and not rows["sd-turbo"]["here"]
    assert rows["nano"]["commercial_use"] and rows["sd-turbo"]["commercial_use"] is False
    assert main(["models"]) == 0
    (line,) = (line for line in capsys.readouterr().out.splitlines() if line.startswith("sd-turbo"))
    assert "3.2 GB" in line and "not for commercial use" in line and "60 fps" in line


def test_a_model_that_was_pulled_is_served_by_its_name_and_its_licence_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("REVERIE_DATA", str(tmp_path / "data"))
    assert main(["serve", "--model", "sd-turbo"]) == 2
    assert "sd-turbo is not here: `reverie models pull sd-turbo`" in capsys.readouterr().err
    origin = tmp_path / "origin"
    for part in ("text_encoder", "unet", "vae"):
        (origin / part).mkdir(parents=True)
        save_file({"x": np.zeros(2, np.float32)}, origin / part / "model.safetensors")
    (origin / "model_index.json").write_text('{"_class_name": "StableDiffusionPipeline"}')
    assert main(["models", "pull", "sd-turbo", "--from", str(origin), "--json"]) == 0
    shown = capsys.readouterr()
    folder = tmp_path / "data" / "models" / "sd-turbo"
    expected = {"name": "sd-turbo", "folder": str(folder), "licence": "sai-nc-community"}
    assert json.loads(shown.out) == expected
    assert "may not be used commercially" in shown.err and "fetching unet/model.safetensors" in shown.err
    assert main(["models", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["models"][1]["here"]
    served: list[str] = []
    monkeypatch.setattr("reverie.server.serve.serve", lambda settings, begun: served.append(settings.model_source))
    assert main(["serve", "--model", "sd-turbo"]) == 0
    assert served == [str(folder)]
    assert "sai-nc-community: it may not be used commercially" in capsys.readouterr().err


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

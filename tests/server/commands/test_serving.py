"""What `reverie serve` refuses, and how."""

import socket
import subprocess
import sys

import pytest

from reverie.server.cli import main
from reverie.server.settings import Settings


def reverie(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "reverie.server", *words], capture_output=True, text=True, timeout=120)


def test_a_taken_port_is_one_line_and_code_2() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = reverie("serve", "--port", str(taken.getsockname()[1]), "--model", "toy")
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1 and "the port is in use" in done.stderr


def test_no_model_is_loaded_for_a_taken_port(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    begun: list[Settings] = []
    monkeypatch.setattr("reverie.server.loading.begin", begun.append)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert main(["serve", "--port", str(taken.getsockname()[1])]) == 2
    assert "the port is in use" in capsys.readouterr().err and not begun


def test_an_unknown_model_device_or_port_is_refused_at_once() -> None:
    none = (
        (["--model", "none"], "no model"),
        (["--device", "tpu"], "got 'tpu'"),
        (["--model", "toy", "--device", "cuda"], "toy runs on cpu"),
        (["--port", "70000"], "port must be"),
    )
    for words, said in none:
        done = reverie("serve", *words)
        assert (done.returncode, len(done.stderr.splitlines())) == (2, 1) and said in done.stderr

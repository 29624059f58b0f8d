"""What the doctor finds, and that it tells how to mend it."""

import json
import socket
from pathlib import Path

import pytest

from reverie.kernels.machine import paths
from reverie.server import cli, doctor
from reverie.server.settings import Settings


def test_a_taken_port_is_bad_and_costs_the_exit_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        monkeypatch.setenv("REVERIE_PORT", str(taken.getsockname()[1]))
        assert cli.main(["doctor", "--quick", "--json"]) == 1
    found = {each["name"]: each for each in json.loads(capsys.readouterr().out)["findings"]}
    assert found["port"]["state"] == "bad" and "--port 0" in found["port"]["remedy"]


def test_a_free_port_is_good(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("REVERIE_PORT", "0")
    assert cli.main(["doctor", "--quick"]) == 0
    assert "good  port: 127.0.0.1:0 is free" in capsys.readouterr().out


def test_the_speed_is_measured() -> None:
    found = doctor.speed(Settings(model="toy"))
    assert found.state in ("good", "fair") and "ms a frame" in found.text


def test_what_is_missing_is_named_with_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "MEMORY_MB", 10**9)
    assert doctor.memory(Settings()).state == "bad"
    assert doctor.speed(Settings(llm="/nowhere.gguf")).state == "bad"
    assert doctor.reach(Settings(host="0.0.0.0")).remedy
    absent = next(p for p in ("neon", "amx", "avx512vnni", "i8mm") if p not in paths())
    assert absent in doctor.processor(Settings(cpu=absent)).text
    monkeypatch.setattr("shutil.which", lambda name: None)
    assert doctor.browser(Settings()).state == "fair"
    assert "needed" in doctor.gpu(Settings()).text


def test_a_gpu_that_does_not_answer_is_no_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fake = tmp_path / "nvidia-smi"
    fake.write_text("#!/bin/sh\nexit 9\n")
    fake.chmod(0o755)
    monkeypatch.setattr("shutil.which", lambda name: str(fake) if name == "nvidia-smi" else None)
    assert "not usable" in doctor.gpu(Settings()).text


def test_every_finding_that_is_not_good_says_what_to_do() -> None:
    assert all(each.remedy for each in doctor.examine(Settings(port=0), quick=True) if each.state != "good")

"""PyPI decart as published: the newest, over LiveKit, the last with plain WebRTC, and one that a plugin brings."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rig.node import Node

HERE = Path(__file__).parent


def run(python: Path, script: str, *arguments: object) -> dict[str, Any]:
    done = subprocess.run([python, HERE / script, *map(str, arguments)], capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr[-3000:]
    return dict(json.loads(done.stdout.splitlines()[-1]))


def test_decart_0_2_4(python_with: Callable[[str], Path], toy: Node) -> None:
    saw = run(python_with("decart[realtime]==0.2.4"), "sdk_livekit.py", toy.url)
    refused = saw.pop("refused")
    assert "Invalid API key" in refused
    assert saw.pop("size") == [1280, 720] and saw.pop("token") == "local" and "reconnecting" in saw.pop("states")
    assert saw and all(saw.values()), saw


@pytest.mark.parametrize("package", ["decart[realtime]==0.2.4", "decart[realtime]==0.0.40"])
def test_jobs_and_images(package: str, python_with: Callable[[str], Path], toy: Node, make_clip: Any) -> None:
    saw = run(python_with(package), "sdk_jobs.py", toy.url, make_clip("clip.mp4"))
    assert len(saw) == 6 and all(saw.values()), saw


def test_decart_0_0_40(python_with: Callable[[str], Path], toy: Node) -> None:
    saw = run(python_with("decart[realtime]==0.0.40"), "sdk_raw.py", toy.url)
    assert saw and all(saw.values()), saw


def test_vision_agents_plugins_decart_0_6_9(python_with: Callable[[str], Path], toy: Node) -> None:
    saw = run(python_with("vision-agents-plugins-decart==0.6.9"), "sdk_vision_agents.py", toy.url)
    assert len(saw) == 5 and all(saw.values()), saw

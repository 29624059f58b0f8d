"""Effects in a live session: they are seen, and their faults are told but not felt."""

import os
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

GREEN, PURPLE = (20, 230, 20), (235, 25, 235)  # before the model; what the toy model makes of it
BEFORE = "def effect(frame, ctx):\n    frame[:] = (20, 230, 20)\n"
AFTER = "def effect(frame, ctx):\n    if ctx.prompt == 'red':\n        import os; os._exit(3)\n    if ctx.prompt == 'blue':\n        1 / 0\n"


@pytest.fixture
def served(tmp_path: Path) -> Iterator[str]:
    (tmp_path / "green.py").write_text(BEFORE)
    (tmp_path / "faulty.py").write_text(AFTER)
    command = [sys.executable, "-m", "reverie.server", "serve", "--port", "0", "--model", "toy"]
    command += ["--effect", f"{tmp_path}/green.py:before", "--effect", f"{tmp_path}/faulty.py"]
    environment = {**os.environ, "REVERIE_DATA": str(tmp_path), "REVERIE_EFFECT_MS": "10000"}
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True, env=environment)
    assert process.stdout is not None
    said = re.search(r"http://\S+", process.stdout.readline())
    assert said
    ends = time.monotonic() + 60
    while not ready(said[0]):
        assert time.monotonic() < ends
        time.sleep(0.05)
    yield said[0]
    process.terminate()
    assert process.wait(20) == 0
    process.stdout.close()
    assert "Traceback" not in (tmp_path / "log").read_text()


def ready(url: str) -> bool:
    try:
        return bool(urllib.request.urlopen(f"{url}/readyz", timeout=5).status == 200)
    except OSError:
        return False


def outcomes(url: str) -> dict[tuple[str, str], float]:
    with urllib.request.urlopen(f"{url}/metrics", timeout=10) as answer:
        found = re.findall(r'effect_frames_total{effect="(\w+)",outcome="(\w+)"} (\S+)', answer.read().decode())
    return {(name, outcome): float(value) for name, outcome, value in found}


async def test_an_effect_is_seen_and_the_faults_of_another_are_told_but_not_felt(served: str, call_at: Any) -> None:
    async with call_at(served, None) as client:
        await client.sees(GREEN, 30)
        await client.say(type="prompt", prompt="invert")
        await client.sees(PURPLE, 30)
        await client.until(lambda: outcomes(served).get(("faulty", "done"), 0) > 0, 30)
        await client.say(type="prompt", prompt="blue")
        told = lambda words: any(
            words in each.get("reason", "") for each in client.told if each["type"] == "effect_skipped"
        )
        await client.until(lambda: told("ZeroDivisionError in line 5"), 30)
        await client.say(type="prompt", prompt="red")
        await client.until(lambda: told("its process ended"), 30)
        await client.say(type="prompt", prompt="invert")
        await client.sees(PURPLE, 30)
        count = outcomes(served)
    assert count["faulty", "crashed"] >= 1 and count["faulty", "failed"] >= 3 and count["green", "done"] > 10

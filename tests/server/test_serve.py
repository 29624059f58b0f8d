"""The end of a server: clients are told before their sockets close."""

import asyncio
import re
import signal
import subprocess
import sys
import time
import urllib.request
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from reverie.server.listening import listen
from reverie.server.serve import exposed, serve
from reverie.server.settings import Settings


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_server_that_is_stopped_tells_its_clients_and_exits_with_0(
    number: signal.Signals, call_at: Any, tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "reverie.server", "serve", "--port", "0", "--model", "toy"]
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
    try:
        assert process.stdout is not None
        said = re.search(r"http://\S+", process.stdout.readline())
        assert said
        await asyncio.to_thread(_ready, said[0])
        async with call_at(said[0], "invert") as client:
            await client.until(lambda: client.heard("generation_started"))
            process.send_signal(number)
            await client.until(lambda: client.heard("generation_ended", reason="disconnect"))
            await client.socket.wait_closed()
            assert client.socket.close_code == 1001
        assert await asyncio.to_thread(process.wait, 10) == 0
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
    assert "Traceback" not in (tmp_path / "log").read_text()


def test_a_server_that_is_stopped_leaves_nothing_but_its_log(tmp_path: Path) -> None:
    """With nano, whose programs and workers belong to C++."""
    command = [sys.executable, "-m", "reverie.server", "serve", "--port", "0"]
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
    try:
        assert process.stdout is not None
        said = re.search(r"http://\S+", process.stdout.readline())
        assert said
        _ready(said[0])
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
        assert not process.stdout.read()
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
    assert [line for line in (tmp_path / "log").read_text().splitlines() if " INFO " not in line] == []


def _ready(url: str) -> None:
    for _ in range(400):
        try:
            urllib.request.urlopen(f"{url}/readyz", timeout=2).close()
            return
        except OSError:
            time.sleep(0.05)
    raise AssertionError("the server never became ready")


@pytest.mark.parametrize(
    ("host", "settings", "warns"),
    [
        ("127.0.0.1", Settings(), False), ("::1", Settings(), False), ("0.0.0.0", Settings(), True),
        ("192.168.1.5", Settings(), True), ("fe80::1%eth0", Settings(), True),
        ("0.0.0.0", Settings(api_keys_file="keys"), False), ("0.0.0.0", Settings(lan=True), False),
    ],
)  # fmt: skip
def test_an_open_server_that_others_can_reach_says_so(host: str, settings: Settings, warns: bool) -> None:
    assert bool(exposed(settings, host)) is warns


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (Settings(effects=("nowhere.py",)), "there is no effect 'nowhere.py'"),
        (Settings(webhook_urls=("ftp://studio.example",)), "a webhook's address is http"),
        (Settings(webhook_urls=("http://studio.example",), webhook_secret="whsec_short"), "24 to 64 bytes"),
    ],
)
def test_what_cannot_be_used_is_said_before_anything_starts(settings: Settings, words: str, tmp_path: Path) -> None:
    with listen("127.0.0.1", 0) as listening, pytest.raises(ValueError, match=words):
        serve(replace(settings, data=str(tmp_path)), listening)

"""A real `reverie serve` process on a free port, and what it says about itself."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psutil

READY_LIMIT_S = 60.0


@dataclass(frozen=True)
class Node:
    url: str  # http://127.0.0.1:PORT
    model: str
    pid: int
    ready_s: float  # from the start of the process to the first 200 of /readyz

    def metrics(self) -> dict[str, float]:
        """The samples of /metrics, summed over their labels."""
        with urllib.request.urlopen(f"{self.url}/metrics", timeout=5) as response:
            text = response.read().decode()
        sums: dict[str, float] = {}
        for name, value in re.findall(r"^([a-zA-Z_:]\w*)(?:\{.*\})? (\S+)$", text, re.MULTILINE):
            sums[name] = sums.get(name, 0.0) + float(value)
        return sums

    def cpu_s(self) -> float:
        """Processor seconds that the server and its children have used."""
        process = psutil.Process(self.pid)
        return sum(sum(p.cpu_times()[:2]) for p in (process, *process.children(recursive=True)))


@contextmanager
def serve(model: str, *flags: str) -> Iterator[Node]:
    """Start a server, wait until it is ready, end it afterwards.  Raises RuntimeError with its last words."""
    port = _free_port()
    command = [sys.executable, "-m", "reverie.server", "serve", "--port", str(port), "--model", model, *flags]
    with tempfile.TemporaryFile("w+") as log:
        began = time.monotonic()
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        try:
            url = f"http://127.0.0.1:{port}"
            while not _ready(url):
                if process.poll() is not None or time.monotonic() - began > READY_LIMIT_S:
                    log.seek(0)
                    raise RuntimeError(f"the server did not get ready: {log.read()[-2000:]}")
                time.sleep(0.05)
            yield Node(url, model, process.pid, time.monotonic() - began)
        finally:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _ready(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/readyz", timeout=2) as response:
            return bool(response.status == 200)
    except (urllib.error.URLError, OSError):
        return False

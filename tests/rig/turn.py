"""A real TURN server for tests: Debian's coturn, on this machine's own address."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from aioice.ice import get_host_addresses

SECRET = "north"


def own_address() -> str:
    """Of this machine, not loopback: ICE leaves that out."""
    addresses = get_host_addresses(use_ipv4=True, use_ipv6=False)
    if not addresses:
        pytest.skip("this machine has no address but loopback, and ICE leaves that out")
    return addresses[0]


@contextmanager
def coturn(folder: Path) -> Iterator[str]:
    """HOST:PORT of a server that takes credentials made from `SECRET`, over UDP and TCP."""
    program, address = shutil.which("turnserver"), own_address()
    if program is None:
        pytest.skip("the Debian package coturn is not installed")
    with socket.socket() as probe:
        probe.bind((address, 0))
        port = probe.getsockname()[1]
    command = (
        f"{program} -n --no-cli --no-tls --no-dtls --use-auth-secret --static-auth-secret={SECRET} --realm=reverie "
        f"--listening-ip={address} --listening-port={port} --relay-ip={address} --min-port=20000 --max-port=32000 "
        f"--userdb={folder}/turndb --pidfile={folder}/pid --log-file=stdout --simple-log"
    )
    with subprocess.Popen(command.split(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            _wait_for(address, port, process)
            yield f"{address}:{port}"
        finally:
            process.terminate()


def _wait_for(address: str, port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection((address, port), 1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError(f"coturn does not listen on {address}:{port}")

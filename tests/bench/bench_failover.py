"""How long a session is without its look: `reverie bench failover --json`.  Three node processes with the toy model, a real
Redis, the Python SDK, all on this machine.

`killed`: the node that has the session is killed with SIGKILL; `dropped`: the client's connection is cut.  Seconds from
then to the first styled frame that came over a new connection.  `same` counts those that had the same session's name after
it.  Beside the SDK's session each killed node has one that only says a look and waits until it is acknowledged, at which
moment the node is killed: `lost` counts looks that the next node did not know (its client says nothing but its name).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

sys.path.insert(0, str(Path(__file__).parent))
import numpy as np
import websockets
from environment import environment, table
from redis import Redis

from reverie import client as sdk
from reverie.client.protocol import SessionId, Status
from reverie.server.embedded import EmbeddedRedis

NODES = 3


class Nodes:
    """The processes, by address."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.running = folder, {}  # type: Path, dict[str, subprocess.Popen[str]]
        self.redis = EmbeddedRedis(folder / "redis")
        self.redis.start()

    def start(self) -> str:
        told = {
            "REDIS_URL": self.redis.url, "REVERIE_JOURNAL_KEY": "5a" * 32, "REVERIE_MAX_SESSIONS": "4",
            "REVERIE_DATA": tempfile.mkdtemp(dir=self.folder),
        }  # fmt: skip
        command = [sys.executable, "-m", "reverie.server", "serve", "--port", "0", "--model", "toy"]
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env={**os.environ, **told}
        )
        assert process.stdout is not None
        found = re.search(r"http://[^\s]+", process.stdout.readline())
        assert found
        self.running[found[0]] = process
        return found[0]

    def wait(self) -> None:
        """Until each serves and has said so to the others."""
        with Redis.from_url(self.redis.url) as client:
            while True:
                known = [client.hmget(key, "url", "models") for key in client.scan_iter("reverie:*:node:*")]
                if {url.decode() for url, models in known if models} >= set(self.running):
                    return
                time.sleep(0.05)

    def kill(self, url: str) -> None:
        process = self.running.pop(url)
        process.kill()
        process.wait()

    def close(self) -> None:
        for url in tuple(self.running):
            self.kill(url)
        self.redis.stop()


def camera() -> Iterator[np.ndarray]:
    while True:
        yield np.full((144, 256, 3), 90, np.uint8)


class Watched:
    """The SDK's session, and where it is."""

    def __init__(self, nodes: Nodes, session: sdk.Session) -> None:
        self.nodes, self.session, self.name, self.owner = nodes, session, "", ""
        self.here = asyncio.Event()  # the connection of now has said that it shows the look
        self.listening = asyncio.create_task(self._listen())

    async def _listen(self) -> None:
        async for event in self.session.events():
            if isinstance(event, SessionId):
                self.name = event.session_id
                self.owner = next(url for url in self.nodes.running if url.endswith(f":{event.server_port}"))
            elif isinstance(event, Status) and event.state == "styled":
                self.here.set()

    async def styled(self) -> None:
        await self.here.wait()
        async for frame in self.session:
            if frame.step:
                return

    async def gap(self, end: Callable[[], object]) -> tuple[float, bool]:
        """Seconds without the look, and whether the session kept its name."""
        await self.styled()
        name = self.name
        self.here.clear()
        began = time.monotonic()
        end()
        await self.styled()
        return time.monotonic() - began, self.name == name


async def acknowledged(url: str, name: str, look: str) -> None:
    """A session at that node has said its look and knows that it is safe."""
    where = f"{url.replace('http', 'ws')}/v1/stream?session={name}"
    async with websockets.connect(where, origin=url) as socket:  # as a browser's: it is not sent on
        await socket.send(json.dumps({"type": "prompt", "prompt": look}))
        while json.loads(await socket.recv())["type"] != "prompt_ack":
            pass
        socket.transport.abort()


async def remembered(nodes: Nodes, name: str) -> list[str]:
    """What the next node believes that the session wants."""
    where = f"{next(iter(nodes.running)).replace('http', 'ws')}/v1/stream?session={name}"
    async with websockets.connect(where) as socket:
        port = json.loads(await socket.recv())["server_port"]
        await socket.send(json.dumps({"type": "settings"}))  # its answer comes after the journal was read
        while json.loads(await socket.recv())["type"] != "settings_ack":
            pass
        url = next(each for each in nodes.running if each.endswith(f":{port}"))
        listed = await asyncio.to_thread(lambda: json.load(urlopen(f"{url}/v1/sessions")))
        return [each["prompt"] for each in listed if each["id"] == name]


async def kills(nodes: Nodes, count: int) -> list[dict[str, Any]]:
    found = []
    async with sdk.connect(next(iter(nodes.running)), camera(), "night vision", timeout_s=60) as session:
        watched = Watched(nodes, session)
        for number in range(count):
            await watched.styled()
            name, owner = f"{number:032x}", watched.owner
            await acknowledged(owner, name, f"look {number}")
            seconds, same = await watched.gap(lambda owner=owner: nodes.kill(owner))
            started = asyncio.create_task(asyncio.to_thread(nodes.start))
            kept = await remembered(nodes, name) == [f"look {number}"]
            await started
            await asyncio.to_thread(nodes.wait)
            found.append({"seconds": seconds, "same": same, "kept": kept})
            print(
                f"killed {number + 1}: {seconds:.2f} s, {'its look is known' if kept else 'ITS LOOK IS LOST'}",
                flush=True,
            )
        watched.listening.cancel()
    return found


async def drops(nodes: Nodes, count: int) -> list[dict[str, Any]]:
    found = []
    async with sdk.connect(next(iter(nodes.running)), camera(), "night vision", timeout_s=60) as session:
        watched = Watched(nodes, session)
        for number in range(count):
            await watched.styled()
            seconds, same = await watched.gap(lambda: session._link._socket.transport.abort())
            found.append({"seconds": seconds, "same": same})
            print(f"dropped {number + 1}: {seconds:.2f} s", flush=True)
        watched.listening.cancel()
    return found


def row(what: str, found: list[dict[str, Any]]) -> dict[str, Any]:
    seconds = sorted(each["seconds"] for each in found)
    at = lambda share: round(seconds[min(len(seconds) - 1, round(share * len(seconds)))], 2)
    return {
        "what": what, "times": len(found), "p50_s": round(statistics.median(seconds), 2), "p95_s": at(0.95),
        "worst_s": round(seconds[-1], 2), "same": sum(each["same"] for each in found),
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--json", action="store_true")
    count = parser.parse_args().kills
    with tempfile.TemporaryDirectory() as folder:
        nodes = Nodes(Path(folder))
        try:
            for _ in range(NODES):
                nodes.start()
            nodes.wait()
            killed = asyncio.run(kills(nodes, count))
            dropped = asyncio.run(drops(nodes, count))
        finally:
            nodes.close()
    rows = [row("killed", killed), row("dropped", dropped)]
    missing = sum(not each["kept"] for each in killed)
    print(table(rows))
    print(f"acknowledged looks lost: {missing} of {count}")
    print(json.dumps({"bench": "failover", "environment": environment(), "rows": rows, "lost": missing}))


if __name__ == "__main__":
    main()

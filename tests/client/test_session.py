"""A Python program against a real server: what comes back, when, and what happens when things go wrong."""

import asyncio
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

import reverie.client as reverie
from reverie.client import AtCapacity, BadRequest, BadSource, ConnectionLost, Frames, UnknownModel, connect
from reverie.client.protocol import ChangeSettings
from reverie.client.received import Connected, Reconnecting
from reverie.client.tracks import Counted, track_of

CAMERA, INVERTED, RED, BLUE = (200, 60, 60), (55, 195, 195), (55, 39, 39), (11, 39, 195)


def picture(colour: tuple[int, int, int] = CAMERA) -> np.ndarray:
    return np.full((240, 320, 3), colour, np.uint8)


def pictures(count: int) -> Frames:
    return Frames([picture()] * count)


def near(frame: reverie.Frame, colour: tuple[int, int, int]) -> bool:
    return bool(np.abs(frame.image.mean((0, 1)) - colour).max() < 25)


async def until(session: reverie.Session, colour: tuple[int, int, int]) -> reverie.Frame:
    async with asyncio.timeout(60):
        async for frame in session:
            if near(frame, colour):
                return frame
    raise AssertionError("the session ended")


async def test_frames_come_back_styled_and_say_which_they_were(toy: Any) -> None:
    seen = []
    async with connect(toy.url, pictures(45), "invert") as session:
        async for frame in session:
            assert frame.video.pts == 3000 * frame.number
            if frame.step:
                assert near(frame, INVERTED)
            seen.append(frame)
        stats = session.stats()
    numbers = [frame.number for frame in seen]
    assert numbers == sorted(set(numbers)) and len(seen) > 20
    steps = [frame.step for frame in seen if frame.step]
    assert steps == sorted(set(steps))
    assert all(0 < frame.latency_ms < 5000 for frame in seen)
    assert stats.sent == 45 and stats.received >= len(seen) and stats.status == "styled"


async def test_a_sender_that_is_slow_misses_frames_and_keeps_none_back() -> None:
    camera = Counted(track_of(Frames([picture()] * 40, fps=240)))
    session = reverie.Session(camera, None, ("", "", "", (), "", "auto"), ChangeSettings(), False)
    (track,) = session._sources()
    await track.recv()
    while session._camera.count < 20:
        await asyncio.sleep(0.01)
    frame: Any = await track.recv()
    assert frame.pts >= 19 * 375
    track.stop()
    session._camera.stop()


async def test_looks_blends_and_settings_are_followed(toy: Any) -> None:
    async with connect(toy.url, pictures(900)) as session:
        assert (await until(session, CAMERA)).step == 0
        await session.set_prompt("red")
        assert (await until(session, RED)).step > 0
        await session.set_prompt("dusk", blend={"red": 1, "blue": 1}, transition_s=0.2)
        await until(session, tuple((r + b) // 2 for r, b in zip(RED, BLUE, strict=True)))  # type: ignore[arg-type]
        await session.set(strength=0)
        await until(session, CAMERA)
        await session.set(strength=1)
        await session.set_prompt("")
        while (await until(session, CAMERA)).step:  # pictures of strength 0 are on their way
            pass


async def test_bad_words_are_told_and_cost_nothing_else(toy: Any) -> None:
    async with connect(toy.url, pictures(300), "red") as session:
        with pytest.raises(BadRequest, match="10"):
            await session.set_prompt("blue", transition_s=99)
        await until(session, RED)


async def test_a_full_server_and_an_unknown_model_are_errors_by_code(toy: Any) -> None:
    with pytest.raises(UnknownModel, match="toy") as unknown:
        async with connect(toy.url, pictures(9), model="other"):
            pass
    assert unknown.value.code == "model_not_found"
    async with connect(toy.url, pictures(900)), connect(toy.url, pictures(900)):
        with pytest.raises(AtCapacity) as full:
            async with connect(toy.url, pictures(9)):
                pass
    assert full.value.code == "at_capacity"


@pytest.mark.parametrize("url", ["http://127.0.0.1:9", "127.0.0.1:9"])
async def test_no_server_is_one_clear_error(url: str) -> None:
    with pytest.raises(ConnectionLost, match=r"127\.0\.0\.1:9"):
        async with connect(url, pictures(3)):
            pass


async def test_an_iterator_that_fails_ends_the_session_with_its_words(toy: Any) -> None:
    def failing() -> Any:
        yield picture()
        raise RuntimeError("the lens fell off")

    with pytest.raises(BadSource, match="the lens fell off"):
        async with connect(toy.url, failing()) as session:
            async for _ in session:
                pass


async def test_after_a_cut_the_same_look_comes_back_by_itself(toy: Any) -> None:
    heard: list[Any] = []

    async def listen(session: reverie.Session) -> None:
        async for event in session.events():
            heard.append(event)

    async with connect(toy.url, pictures(1800), "red") as session:
        listening = asyncio.create_task(listen(session))
        await until(session, RED)
        await session.set_prompt("blue")
        await until(session, BLUE)
        assert session._link is not None
        session._link._socket.transport.abort()
        async with asyncio.timeout(10):
            while not any(isinstance(event, Reconnecting) for event in heard):
                await asyncio.sleep(0.02)
        first = session.stats().received
        await until(session, BLUE)
        async with asyncio.timeout(10):
            while session.stats().received < first + 10:
                await until(session, BLUE)
        listening.cancel()
    assert [type(e) for e in heard if isinstance(e, Connected | Reconnecting)] == [Connected, Reconnecting, Connected]


async def test_the_track_gives_the_same_frames(toy: Any) -> None:
    async with connect(toy.url, pictures(60), "red") as session:
        frame = await asyncio.wait_for(session.track.recv(), 10)
        assert (frame.width, frame.height) == (320, 240)


def test_the_package_knows_no_server() -> None:
    code = (
        "import sys, reverie.client.session; "
        "bad = [m for m in sys.modules if m.split('.')[0] in ('torch', 'diffusers', 'starlette', 'redis') "
        "or m.startswith(('reverie.server', 'reverie.models', 'reverie.kernels'))]; assert not bad, bad"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    assert set(reverie.__all__) == {name for names in reverie._HOME.values() for name in names}

"""Media over the WebSocket from Python: chosen, after ICE has failed, and after it took too long."""

from collections.abc import Iterator
from statistics import median
from typing import Any

import numpy as np
import pytest
from rig.closed import serve_without_udp
from rig.flash import of_visit
from rig.node import Node

import reverie.client as reverie
from reverie.client import BadRequest, Frames, MediaFailed, connect, link

CAMERA, INVERTED, RED = (200, 60, 60), (55, 195, 195), (55, 39, 39)
CAMERA_FRAMES = [np.full((240, 320, 3), CAMERA, np.uint8)] * 3000


@pytest.fixture(scope="module")
def closed() -> Iterator[Node]:
    with serve_without_udp("toy") as node:
        yield node


async def until(session: reverie.Session, colour: tuple[int, int, int]) -> reverie.Frame:
    async for frame in session:
        if np.abs(frame.image.mean((0, 1)) - colour).max() < 25:
            return frame
    raise AssertionError("the session ended")


def goes_over_socket(session: reverie.Session) -> bool:
    return session._link is not None and session._link.over_socket is not None


async def test_looks_and_figures_are_the_same_as_by_webrtc(toy: Any) -> None:
    async with connect(toy.url, Frames(CAMERA_FRAMES), "invert", media="websocket", timeout_s=60) as session:
        frame = await until(session, INVERTED)
        assert frame.step > 0 and frame.number >= 0 and 0 < frame.latency_ms < 30_000
        await session.set_prompt("red")
        await until(session, RED)
        await session.set_prompt("")
        await until(session, CAMERA)
        assert goes_over_socket(session) and session.stats().received > 0


@pytest.mark.parametrize("prompt", ["", "invert"])
async def test_a_flash_and_its_beep_come_back_together(toy: Any, prompt: str) -> None:
    """As by WebRTC (tests/server/test_sound.py): 40 ms apart at most."""
    apart = await of_visit(toy.url, prompt, 6.5, 1.5, media="websocket")
    assert len(apart) >= 3
    assert abs(median(apart)) <= 40, apart


async def test_where_udp_is_closed_the_pictures_take_the_other_way_by_themselves(closed: Node) -> None:
    async with connect(closed.url, Frames(CAMERA_FRAMES), "invert", reconnect=False, timeout_s=60) as session:
        assert (await until(session, INVERTED)).step > 0
        assert goes_over_socket(session)


async def test_a_firewall_that_swallows_packets_is_waited_for_so_long_only(
    toy: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link, "ICE_PATIENCE_S", 0.0)
    async with connect(toy.url, Frames(CAMERA_FRAMES), "invert", timeout_s=60) as session:
        await until(session, INVERTED)
        assert goes_over_socket(session)


async def test_who_wants_webrtc_alone_is_told_that_it_failed(closed: Node) -> None:
    with pytest.raises(MediaFailed):
        async with connect(closed.url, Frames(CAMERA_FRAMES), media="webrtc", reconnect=False, timeout_s=60) as session:
            await until(session, CAMERA)


async def test_an_unknown_way_is_refused(toy: Any) -> None:
    with pytest.raises(BadRequest, match="auto, webrtc, websocket"):
        async with connect(toy.url, Frames(CAMERA_FRAMES), media="pigeon", timeout_s=60):
            pass

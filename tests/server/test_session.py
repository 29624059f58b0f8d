"""A camera in, another look out: a real client, a real server, the toy model."""

import asyncio
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from fractions import Fraction
from typing import Any

import av
import numpy as np
import pytest

from reverie.client.protocol import Part, Status
from reverie.models.toy import ToyModel
from reverie.server.engine import Engine
from reverie.server.errors import NoMasks, PromptDenied
from reverie.server.metrics import Metrics
from reverie.server.moderation import Denied
from reverie.server.session import Session

CAMERA = (200, 60, 60)
INVERTED = (55, 195, 195)
RED, BLUE = (55, 39, 39), (11, 39, 195)


async def test_styled_frames_arrive_and_a_prompt_changes_them(server: Any, call: Any) -> None:
    async with call("invert") as client:
        await client.sees(INVERTED)
        assert client.heard("generation_started")
        assert client.heard("status", state="styled")
        await client.say(type="prompt", prompt="blue", enhance_prompt=False)
        await client.sees(BLUE)
        await client.say(type="prompt", prompt="red", enhance_prompt=False)
        await client.sees(RED)
        await client.until(lambda: client.heard("generation_tick", seconds=1))


async def test_passthrough_shows_the_camera_before_and_after_a_look(server: Any, call: Any) -> None:
    async with call(None) as client:
        await client.sees(CAMERA)
        assert client.heard("status", state="passthrough")
        assert not client.heard("generation_started")
        await client.say(type="prompt", prompt="invert")
        await client.sees(INVERTED)
        await client.say(type="set_image", image_data=None, prompt=None)
        await client.sees(CAMERA)


async def test_strength_is_followed(server: Any, call: Any) -> None:
    async with call("invert") as client:
        await client.sees(INVERTED)
        await client.say(type="settings", strength=0)
        await client.sees(CAMERA)
        assert client.heard("settings_ack", success=True)


async def test_an_enhanced_prompt_follows_the_raw_one(server: Any, call: Any) -> None:
    async with call("invert") as client:
        await client.sees(INVERTED)
        await client.say(type="prompt", prompt="plain", enhance_prompt=True)
        await client.until(lambda: client.heard("prompt_enhanced", prompt="plain, in blue"))
        await client.sees(BLUE)
        assert client.heard("prompt_ack", prompt="plain", success=True)


async def test_a_slow_model_drops_frames_and_adds_no_delay(server: Any, call: Any) -> None:
    before = server.metrics()
    async with call("slow invert") as client:
        await client.sees(INVERTED)
        ages = []
        for _ in range(8):
            count = len(client.seen)
            await asyncio.sleep(0.5)
            assert 2 <= len(client.seen) - count <= 10  # 0.1 s a frame
            ages.append(client.seen[-1][1] / 90000 - (client.seen[-1][0] - client.seen[0][0]))
    assert abs(ages[-1] - ages[0]) < 0.25  # media time keeps up with the clock: no queue grows
    assert server.metrics()['dropped_total{where="model"}'] - before.get('dropped_total{where="model"}', 0) > 20


async def test_a_model_that_is_slow_all_the_time_is_seen_all_the_same(server: Any, call: Any) -> None:
    async with call("crawl invert") as client:
        await client.sees(INVERTED)
        await asyncio.sleep(2)  # the first frames tell its pace
        stalls, count = server.metrics().get('stalls_total{state="stalled"}', 0), len(client.seen)
        await asyncio.sleep(3)
        assert 6 <= len(client.seen) - count <= 12  # 0.3 s a frame, and no camera between
        assert server.metrics().get('stalls_total{state="stalled"}', 0) == stalls


async def test_a_stalled_model_shows_the_camera_at_once_and_says_so(server: Any, call: Any) -> None:
    async with call("stall invert") as client:
        await client.sees(INVERTED)
        await client.until(lambda: client.heard("status", state="stalled"))
        await client.sees(CAMERA, timeout_s=1.0)
        times = np.array([t for t, _, _ in client.seen])
        assert np.diff(times).max() < 0.4  # the picture never stood still for long
        count = len(client.told)
        await client.until(lambda: any(m["type"] == "status" and m["state"] == "styled" for m in client.told[count:]))
        await client.sees(INVERTED)


async def test_a_crashed_model_shows_the_camera_and_a_new_prompt_is_a_new_try(server: Any, call: Any) -> None:
    async with call("invert") as other, call("crash invert") as client:
        await client.until(lambda: client.heard("status", state="crashed"))
        await client.sees(CAMERA)
        await other.sees(INVERTED)
        await client.say(type="prompt", prompt="blue")
        await client.sees(BLUE)


async def test_time_never_goes_back(server: Any, call: Any) -> None:
    async with call("stall invert") as client:
        await client.until(lambda: client.heard("status", state="stalled"))
        await asyncio.sleep(2)
        stamps = [pts for _, pts, _ in client.seen]
        assert stamps == sorted(stamps)


async def test_a_client_that_leaves_frees_its_place(server: Any, call: Any) -> None:
    for _ in range(5):  # more than the three places
        async with call("invert") as client:
            await client.sees(INVERTED)
        deadline = time.monotonic() + 3
        while server.metrics()["sessions"] and time.monotonic() < deadline:
            await asyncio.sleep(0.02)
    assert server.metrics()["sessions"] == 0


@contextmanager
def visit() -> Iterator[tuple[Session, list[Any], Metrics]]:
    """A session without a network, what its client is told, and what is counted.  Its engine is never given a frame."""
    metrics, told = Metrics(), []
    engine = Engine(metrics)
    with ThreadPoolExecutor(1) as words:
        yield Session(ToyModel(), engine, metrics, words, Denied(["gore"]), told.append), told, metrics
    engine.stop()


def stamped(pts: int) -> av.VideoFrame:
    frame = av.VideoFrame(16, 16, "yuv420p")
    frame.pts, frame.time_base = pts, Fraction(1, 90000)
    return frame


async def test_a_styled_frame_older_than_what_was_shown_is_dropped_and_counted() -> None:
    with visit() as (session, _, metrics):
        await session.set_prompt("invert")
        frames = [stamped(pts) for pts in (0, 3000, 6000)]
        with session.output.frames() as newest:
            session._show(frames[1], 0)
            session._show(frames[0], 1)  # came late
            assert await newest.get() is frames[1]
            session._show(frames[2], 2)
            assert await newest.get() is frames[2]
        await session.close("disconnect")
    assert b'reverie_dropped_total{where="late"} 1.0' in metrics.text()


async def test_a_frame_that_is_ready_after_hanging_up_starts_nothing() -> None:
    with visit() as (session, told, _):
        await session.set_prompt("invert")
        await session.close("disconnect")
        before = len(told)
        session._on_styled(stamped(0), 1)
        session._on_crash("too late")
        await session.set_prompt("blue")
        assert told[before:] == []
        assert not session._tasks
        assert session._feed is None


async def test_a_model_that_is_always_late_is_not_called_styled() -> None:
    """Each frame is ready 300 ms after its camera frame: the camera is shown, without gaps, and that is what is said."""
    with visit() as (session, told, metrics):
        await session.set_prompt("invert")
        session._standing._asked_at -= 1  # long ago
        for number in range(30):
            session.camera(stamped(number * 3000))
            if number >= 9:
                session._on_styled(stamped((number - 9) * 3000), number)
        assert [message.state for message in told if message.type == "status"] == ["styled", "stalled"]
        assert not any(message.type == "generation_started" for message in told)
        await session.close("disconnect")
    assert b'reverie_frames_out_total{shows="camera"} 30.0' in metrics.text()


async def test_a_model_that_ran_out_of_memory_says_that_it_paints_less() -> None:
    with visit() as (session, told, _):
        await session.set_prompt("invert")
        session._note()
        session._model.limited = "at 1/2 of its sides: memory ran out"  # type: ignore[attr-defined]
        session._note()
        said = [message.reason for message in told if message.type == "status"]
        assert said == ["invert", "invert (at 1/2 of its sides: memory ran out)"]
        await session.close("disconnect")


async def test_after_a_stall_the_first_frame_in_time_brings_the_look_back() -> None:
    with visit() as (session, told, _):
        await session.set_prompt("invert")
        session._standing._asked_at -= 1
        session.camera(stamped(3000))
        assert told[-1].state == "stalled"
        session._on_styled(stamped(3000), 1)  # of the very frame that the camera just showed
        assert told[-1].state == "styled"
        session._on_styled(stamped(6000), 2)
        assert any(message.type == "generation_started" for message in told)
        await session.close("disconnect")


async def test_a_failed_media_connection_ends_the_session_and_says_so() -> None:
    with visit() as (session, told, _):
        session.media_failed()
        assert session.over.is_set()
        assert told[-1].error_type == "media_failed"


async def test_a_blend_is_shown_after_its_transition(server: Any, call: Any) -> None:
    async with call("red") as client:
        await client.sees(RED)
        parts = [{"prompt": "red", "weight": 1}, {"prompt": "blue", "weight": 1}]
        await client.say(type="prompt", prompt="sunset", blend=parts, transition_s=0.3)
        await client.sees(tuple((r + b) // 2 for r, b in zip(RED, BLUE, strict=True)))
        assert client.heard("prompt_ack", prompt="sunset", success=True)
        await client.until(lambda: client.heard("status", state="styled", reason="sunset"))
        await client.until(lambda: any(m.get("fps", 0) > 0 and m["render_width"] > 0 for m in client.told))


async def test_a_prompt_that_is_not_allowed_changes_nothing() -> None:
    with visit() as (session, told, metrics):
        await session.set_prompt("red")
        for parts in ((), (Part("blue", 1.0), Part("G0RE", 1.0))):
            with pytest.raises(PromptDenied):
                await session.set_prompt("blue" if parts else "gore", parts=parts)
        assert told[-1] == Status("stalled", told[-1].reason) or told[-1].reason == "red"
        assert metrics.registry.get_sample_value("reverie_prompts_denied_total") == 2
        await session.close("disconnect")


async def test_a_mask_without_its_networks_is_refused_and_changes_nothing() -> None:
    with visit() as (session, _, _):
        await session.set_prompt("red")
        with pytest.raises(NoMasks, match="make serve"):
            await session.set_prompt("blue", mask="subject")
        with pytest.raises(NoMasks):
            session.change(0.5, None, "background")
        assert (session._look.name, session._look.strength, session._look.mask) == ("red", 1.0, "none")
        session.change(None, 7, "none")
        assert session._look.seed == 7
        await session.close("disconnect")


async def test_a_tenant_with_a_limit_has_so_many_styled_frames_a_second() -> None:
    with visit() as (session, _, _):
        session.fps = 10
        passed = [session._may_style(stamped(3000 * n)) for n in range(90)]
        assert sum(passed) == 30
        assert session._may_style(stamped(0))  # another camera, another clock
        session.fps = 0
        assert all(session._may_style(stamped(n)) for n in range(3))

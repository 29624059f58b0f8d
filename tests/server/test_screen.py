"""The way out: never back in time, and never past the filter."""

from collections.abc import AsyncIterator
from fractions import Fraction
from typing import Any

import av
import pytest

from reverie.client.protocol import FrameShown
from reverie.server.effects import About
from reverie.server.metrics import Metrics
from reverie.server.output import Output
from reverie.server.screen import Screen
from reverie.server.sound import Sound
from reverie.server.timing import SourceClock

ABOUT = About("a session", "red", True, 0.0)


class Shown(Output):
    """Keeps what it is to show."""

    def __init__(self, metrics: Metrics, clock: SourceClock) -> None:
        super().__init__(metrics, clock)
        self.all: list[Any] = []

    def show(self, frame: av.VideoFrame) -> None:
        self.all.append(frame)


class Veil:
    """A filter that lets nothing through."""

    reason = "unfit"

    def pass_on(self, frame: av.VideoFrame) -> str:
        return "a mosaic"


@pytest.fixture
async def shown() -> AsyncIterator[tuple[Screen, list[Any], list[Any], Metrics]]:
    """A screen, what it shows, what it tells, what is counted."""
    metrics, clock, told = Metrics(), SourceClock(), []
    output = Shown(metrics, clock)
    screen = Screen(output, Sound(), clock, [], metrics, told.append)
    yield screen, output.all, told, metrics
    screen.close()


def stamped(pts: int) -> av.VideoFrame:
    frame = av.VideoFrame(16, 16, "yuv420p")
    frame.pts, frame.time_base = pts, Fraction(1, 90000)
    return frame


async def test_what_is_older_than_what_was_shown_is_dropped_until_the_camera_is_another(shown: Any) -> None:
    screen, frames, _, metrics = shown
    older, newer = stamped(3000), stamped(93000)
    assert screen.lag_s(older) == 0
    assert screen.show(newer, 0, ABOUT, None)
    assert screen.lag_s(older) == pytest.approx(1)
    assert not screen.show(older, 1, ABOUT, None)
    assert frames == [newer]
    screen.another_camera()
    assert screen.show(older, 1, ABOUT, None)
    assert frames == [newer, older]
    assert metrics.registry.get_sample_value("reverie_dropped_total", {"where": "late"}) == 1
    assert metrics.registry.get_sample_value("reverie_frames_out_total", {"shows": "styled"}) == 1


async def test_the_client_hears_of_each_frame_if_it_wants_to(shown: Any) -> None:
    screen, _, told, _ = shown
    screen.show(stamped(1), 1, ABOUT, None)
    screen.tells_frames = True
    screen.show(stamped((1 << 32) + 5), 2, ABOUT, None)
    assert told == [FrameShown(5, 2)]


async def test_what_the_filter_makes_is_shown_instead(shown: Any) -> None:
    screen, frames, _, _ = shown
    assert screen.hidden == ""
    screen.filter = Veil()
    screen.show(stamped(1), 1, ABOUT, None)
    assert (frames, screen.hidden) == (["a mosaic"], "unfit")


async def test_nothing_is_shown_once_it_is_closed(shown: Any) -> None:
    screen, frames, _, _ = shown
    screen.close()
    screen.show(stamped(1), 1, ABOUT, None)
    assert frames == []

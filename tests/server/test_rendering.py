"""Streams paint at the size of the device's rung, and lose no frame when it changes."""

import threading
import time
from fractions import Fraction
from typing import Any

import av
import numpy as np

from reverie.models.blend import blend
from reverie.models.toy import ToyModel, ToyStream
from reverie.server.engine import Engine, Feed, Look
from reverie.server.ladder import RUNGS, Ladder
from reverie.server.metrics import Metrics


class Slow(ToyStream):
    """Takes 0.1 s for a picture of 512x288, and builds its sizes when it is let."""

    def __init__(self, model: ToyModel) -> None:
        super().__init__(model)
        self.patience = 1.0
        self.sizes: list[tuple[int, int]] = []
        self.built: list[tuple[int, int]] = []
        self.go = threading.Event()

    def build(self, height: int, width: int) -> None:
        assert self.go.wait(30)
        self.built.append((width, height))

    def step(self, frames: Any) -> Any:
        self.sizes.append((frames.shape[2], frames.shape[1]))
        time.sleep(0.1 * frames.shape[1] * frames.shape[2] / (512 * 288))
        return super().step(frames)


class Played:
    """One session with that stream, fed frame by frame."""

    def __init__(self, ladder: Ladder, stream: ToyStream) -> None:
        self.metrics, self.stream = Metrics(), stream
        self.engine = Engine(self.metrics, ladder=ladder)
        self.shown: list[av.VideoFrame] = []
        self.feed = Feed(stream, lambda frame, step: self.shown.append(frame), print)
        self.feed.look = Look("invert", blend("invert"))
        self.engine.add(self.feed)

    def play(self, frames: int, width: int = 512, height: int = 288) -> None:
        for number in range(len(self.shown), len(self.shown) + frames):
            made = av.VideoFrame.from_ndarray(np.full((height, width, 3), 200, np.uint8), "rgb24").reformat(
                format="yuv420p"
            )
            made.pts, made.time_base = number, Fraction(1, 90000)
            self.engine.put(self.feed, made)
            deadline = time.monotonic() + 30
            while len(self.shown) <= number:
                assert time.monotonic() < deadline
                time.sleep(0.002)


def test_a_slow_machine_paints_smaller_and_every_frame_keeps_the_cameras_size() -> None:
    stream = Slow(ToyModel())
    played = Played(Ladder(), stream)
    played.play(20)
    assert stream.patience == 2.0 and set(stream.sizes) == {(512, 288)}  # no other size is built yet
    stream.go.set()
    deadline = time.monotonic() + 60
    while stream.sizes[-1] == (512, 288):
        assert time.monotonic() < deadline
        played.play(1)
    assert stream.sizes[-1] in stream.built and played.feed.size == stream.sizes[-1]
    assert {(frame.width, frame.height) for frame in played.shown} == {(512, 288)}
    assert [frame.pts for frame in played.shown] == list(range(len(played.shown)))
    rung = played.engine.rendering.ladder.number
    assert f"reverie_render_rung {rung}.0".encode() in played.metrics.text()
    assert b'reverie_render_moves_total{to="1"} 1.0' in played.metrics.text()
    played.engine.stop()


def test_another_camera_is_painted_at_once_at_its_own_size() -> None:
    stream, ladder = Slow(ToyModel()), Ladder()
    ladder.number = len(RUNGS) - 1
    played = Played(ladder, stream)
    played.play(1)
    played.play(1, 288, 512)
    assert stream.sizes == [(256, 144), (144, 256)]
    played.engine.stop()


def test_a_model_that_cannot_be_asked_for_less_paints_as_ever() -> None:
    ladder = Ladder()
    ladder.number = 3
    played = Played(ladder, ToyModel().stream())
    played.play(1)
    assert played.feed.size == (512, 288)
    played.engine.stop()


def test_a_forced_size_is_that_of_every_model() -> None:
    for stream in (ToyModel().stream(), Slow(ToyModel())):
        played = Played(Ladder("256x144"), stream)
        played.play(1)
        assert played.feed.size == (256, 144)
        played.engine.stop()

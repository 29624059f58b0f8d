"""One thread steps everybody's stream, in turn, on the newest frame."""

import threading
import time
from fractions import Fraction
from typing import Any

import av
import numpy as np

from reverie.models.blend import blend
from reverie.models.toy import ToyModel
from reverie.server.engine import Engine, Feed, Look
from reverie.server.metrics import Metrics


def frame(number: int, width: int = 64, height: int = 48) -> av.VideoFrame:
    made = av.VideoFrame.from_ndarray(np.full((height, width, 3), 200, np.uint8), "rgb24").reformat(format="yuv420p")
    made.pts, made.time_base = number, Fraction(1, 90000)
    return made


class Seen:
    """What an engine delivered to one session."""

    def __init__(self, engine: Engine, prompt: str, model: ToyModel | None = None) -> None:
        self.frames: list[tuple[av.VideoFrame, int]] = []
        self.failures: list[str] = []
        stream = (model or ToyModel()).stream()
        self.feed = Feed(stream, lambda *news: self.frames.append(news), self.failures.append)
        self.feed.look = Look(prompt, blend(prompt))
        engine.add(self.feed)


def wait(true: Any) -> None:
    deadline = time.monotonic() + 30
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_a_frame_comes_back_styled_with_its_time() -> None:
    engine = Engine(Metrics())
    seen = Seen(engine, "invert")
    engine.put(seen.feed, frame(7))
    wait(lambda: seen.frames)
    shown, step = seen.frames[0]
    assert (shown.pts, step, shown.width, shown.height) == (7, 1, 64, 48)
    assert abs(shown.to_ndarray(format="rgb24").mean() - 55) < 3
    engine.stop()


def test_the_newest_frame_wins_and_losses_are_counted() -> None:
    metrics = Metrics()
    engine = Engine(metrics)
    seen = Seen(engine, "slow invert")
    engine.put(seen.feed, frame(0))
    wait(lambda: seen.feed.frame is None)
    for number in range(1, 10):
        engine.put(seen.feed, frame(number))
    wait(lambda: len(seen.frames) == 2)
    assert [shown.pts for shown, _ in seen.frames] == [0, 9]
    assert b'reverie_dropped_total{where="model"} 8.0' in metrics.text()
    engine.stop()


def test_sessions_take_turns() -> None:
    engine = Engine(Metrics())
    busy, calm = Seen(engine, "slow invert"), Seen(engine, "slow invert")
    stop = threading.Event()

    def flood() -> None:
        number = 0
        while not stop.wait(0.002):
            number += 1
            engine.put(busy.feed, frame(number))

    flooding = threading.Thread(target=flood)
    flooding.start()
    for number in range(3):
        engine.put(calm.feed, frame(number))
        wait(lambda number=number: len(calm.frames) > number)
    stop.set()
    flooding.join()
    assert len(busy.frames) <= 5
    engine.stop()


def test_priority_is_stepped_first_and_flex_only_while_no_other_waits() -> None:
    entered, go, order = threading.Event(), threading.Event(), []

    class Watched(ToyModel):
        def step_many(self, streams: Any, frames: Any) -> Any:
            order.append([names[id(stream)] for stream in streams])
            entered.set()
            assert go.wait(30)
            return super().step_many(streams, frames)

    engine, model = Engine(Metrics()), Watched()
    tiers = ("flex", "standard", "priority")
    seen = {tier: Seen(engine, "invert", model) for tier in tiers}
    names = {id(each.feed.stream): tier for tier, each in seen.items()}
    for tier, each in seen.items():
        each.feed.tier = tier
    engine.put(seen["flex"].feed, frame(0))
    assert entered.wait(30)
    for each in seen.values():
        engine.put(each.feed, frame(1))
    go.set()
    wait(lambda: len(seen["flex"].frames) == 2)
    assert order == [["flex"], ["priority", "standard"], ["flex"]]
    engine.stop()


def test_sessions_that_wait_are_stepped_together() -> None:
    entered, go, sizes = threading.Event(), threading.Event(), []

    class Watched(ToyModel):
        def step_many(self, streams: Any, frames: Any) -> Any:
            sizes.append(len(streams))
            entered.set()
            assert go.wait(30)
            return super().step_many(streams, frames)

    engine, model = Engine(Metrics()), Watched()
    first, *others = (Seen(engine, prompt, model) for prompt in ("invert", "red", "crash", "blue"))
    others[1].feed.stream.start("crash")
    others[1].feed.stream._frame, others[1].feed.look = 9, None
    stranger = Seen(engine, "invert")
    engine.put(first.feed, frame(0))
    assert entered.wait(30)
    for seen in (*others, stranger):
        engine.put(seen.feed, frame(1))
    go.set()
    wait(lambda: others[0].frames and others[1].failures and others[2].frames and stranger.frames)
    assert sizes == [1, 3]  # another model's session is stepped by itself
    red, blue = (others[i].frames[0][0].to_ndarray(format="rgb24").mean((0, 1)) for i in (0, 2))
    assert red[0] > red[2] and blue[2] > blue[0] and others[1].failures == ["the model failed: RuntimeError"]
    engine.stop()


def test_a_crash_ends_one_session_only() -> None:
    engine = Engine(Metrics())
    bad, good = Seen(engine, "crash"), Seen(engine, "invert")
    for number in range(10):
        engine.put(bad.feed, frame(number))
        wait(lambda number=number: len(bad.frames) > number or bad.failures)
    assert bad.failures == ["the model failed: RuntimeError"]
    engine.put(good.feed, frame(0))
    wait(lambda: good.frames)
    engine.stop()


def test_a_removed_session_is_served_no_more() -> None:
    engine = Engine(Metrics())
    seen = Seen(engine, "invert")
    engine.remove(seen.feed)
    engine.put(seen.feed, frame(0))
    engine.stop()
    assert not seen.frames


def test_a_look_set_while_the_one_before_is_taken_is_not_lost() -> None:
    engine = Engine(Metrics())

    class Watched(Feed):
        """Another look is set between reading the look and clearing it."""

        setter: threading.Thread | None = None

        @property
        def look(self) -> Look | None:
            found = self._look
            if found is not None and self.setter is None and threading.current_thread().name == "engine":
                self.setter = threading.Thread(target=engine.take_on, args=(self, Look("blue", blend("blue"))))
                self.setter.start()
                self.setter.join(0.05)  # with the lock it waits; without, it is through and lost
            return found

        @look.setter
        def look(self, look: Look | None) -> None:
            self._look = look

    frames: list[av.VideoFrame] = []
    feed = Watched(ToyModel().stream(), lambda shown, step: frames.append(shown), lambda reason: None)
    engine.add(feed)
    engine.take_on(feed, Look("invert", blend("invert")))
    engine.put(feed, frame(0))
    wait(lambda: len(frames) == 1)
    assert feed.setter is not None
    feed.setter.join()
    engine.put(feed, frame(1))
    wait(lambda: len(frames) == 2)
    red, _, blue = frames[1].to_ndarray(format="rgb24").mean((0, 1))
    assert blue > red + 20
    engine.stop()


def test_a_transition_passes_through_blends_and_ends_at_the_new_look() -> None:
    stream = ToyModel().stream()
    feed = Feed(stream, lambda *news: None, lambda reason: None)
    red, blue = (Look(name, blend(name), transition_s=2.0) for name in ("red", "blue"))
    source = np.full((1, 16, 16, 3), 100, np.uint8)

    def shown(look: Look | None, now: float) -> list[int]:
        feed.dress(look, now)
        return [int(x) for x in stream.step(source)[0, 0, 0]]

    assert shown(red, 0) == [100, 100, 100]  # out of the camera's picture
    faded = [shown(None, now) for now in (0.5, 1, 1.5, 2)]
    assert faded == sorted(faded) and faded[-1] == [155, 31, 31]
    assert shown(blue, 3) == [155, 31, 31]
    half = shown(None, 4)
    assert half == [93, 31, 93]
    assert shown(Look("blue", blue.blend, strength=0.5), 4) == [96, 66, 96]  # settings do not end it
    assert shown(None, 5) == [66, 66, 128]


def test_a_stream_whose_past_is_worth_keeping_is_not_started_by_another_look() -> None:
    class Film:
        continuous = True

        def __init__(self) -> None:
            self.told: list[str] = []

        def start(self, look: Any, seed: int, strength: float) -> None:
            self.told.append(f"start {blend(look)[0][0]}")

        def wear(self, look: Any) -> None:
            self.told.append(f"wear {look[0][0]}")

    film = Film()
    feed = Feed(film, lambda *news: None, lambda reason: None)  # type: ignore[arg-type]
    for look in ("red", "blue"):
        feed.dress(Look(look, blend(look)), 0.0)
    assert film.told == ["start ", "start red", "wear blue"]
    feed.dress(Look("blue", blend("blue"), seed=3), 0.0)
    assert film.told[3:] == ["start blue", "wear blue"]


def test_a_watermark_is_drawn_into_styled_frames() -> None:
    engine = Engine(Metrics(), "AI generated")
    seen = Seen(engine, "invert")
    engine.put(seen.feed, frame(1, 320, 240))
    wait(lambda: seen.frames)
    shown = seen.frames[0][0].to_ndarray(format="rgb24")
    assert shown[:120].max() < 80 and shown[216:, 160:].max() > 150
    engine.stop()


def test_what_waits_for_the_idle_device_comes_behind_every_session() -> None:
    engine, order = Engine(Metrics()), []
    seen = Seen(engine, "slow invert")
    engine.put(seen.feed, frame(0))
    wait(lambda: seen.feed.frame is None)  # the device is busy now
    done = engine.when_idle(lambda: order.append(len(seen.frames)))
    engine.put(seen.feed, frame(1))
    done.result(30)
    assert order == [2]
    assert engine.when_idle(lambda: 5).result(30) == 5
    assert isinstance(engine.when_idle(lambda: [][0]).exception(30), IndexError)
    engine.stop()
    assert engine.when_idle(lambda: 5).cancelled()

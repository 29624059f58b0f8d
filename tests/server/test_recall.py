"""What a stream saw last, in 256 KB, and a stream that goes on with it."""

import json
import struct
import threading
from fractions import Fraction

import numpy as np
import pytest

from reverie.models.blend import blend
from reverie.models.toy import ToyModel, ToyStream
from reverie.server.engine import Engine, Feed, Look
from reverie.server.metrics import Metrics
from reverie.server.pictures import to_frame
from reverie.server.recall import LAST, LIMIT, Recall, unpack


def smooth(level: int, height: int = 64, width: int = 96) -> np.ndarray:
    y, x = np.mgrid[0:height, 0:width]
    return np.stack((x + level, y + level, x + y), -1).clip(0, 255).astype(np.uint8)


def test_the_first_picture_and_the_last_come_back_in_order() -> None:
    recall = Recall()
    assert recall.pack() == b"" and unpack(b"") == []
    for level in range(0, 100, 10):
        recall.note(smooth(level))
    found = unpack(recall.pack())
    assert len(found) == 1 + LAST
    for picture, level in zip(found, (0, 60, 70, 80, 90), strict=True):
        assert picture.dtype == np.uint8 and np.abs(picture.astype(int) - smooth(level)).mean() < 3
    recall.note(smooth(5, 32, 32))  # another size: the stream has forgotten
    assert [each.shape for each in unpack(recall.pack())] == [(32, 32, 3)]
    recall.forget()
    assert recall.pack() == b""


@pytest.mark.parametrize(("height", "width", "least"), [(288, 512, 1), (720, 1280, 0)])
def test_it_never_takes_more_than_its_limit_and_the_first_picture_goes_last(
    height: int, width: int, least: int
) -> None:
    recall, chance = Recall(), np.random.default_rng(0)
    made = [chance.integers(0, 256, (height, width, 3)).astype(np.uint8) for _ in range(6)]  # the worst for JPEG
    for picture in made:
        recall.note(picture)
    packed = recall.pack()
    found = unpack(packed)
    assert len(packed) <= LIMIT and least <= len(found) < 1 + LAST
    closeness = lambda picture: np.corrcoef(found[0].ravel(), picture.ravel())[0, 1]
    assert not found or closeness(made[0]) > closeness(made[5]) + 0.1


@pytest.mark.parametrize("data", [b"x", struct.pack(">I", 9) + b"no picture", b"\0" * 9])
def test_what_was_not_packed_here_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="snapshot"):
        unpack(data)


def test_a_feed_paints_what_the_lost_stream_saw_before_its_first_picture() -> None:
    seen: list[int] = []

    class Watched(ToyStream):
        def step(self, frames: np.ndarray) -> np.ndarray:
            seen.extend(int(each[0, 0, 2]) for each in frames)
            return super().step(frames)

    engine, done = Engine(Metrics()), threading.Event()
    feed = Feed(Watched(ToyModel()), lambda frame, step: done.set(), lambda reason: pytest.fail(reason))
    feed.recall, feed.lead = Recall(), [np.full((48, 64, 3), level, np.uint8) for level in (10, 20, 30)]
    engine.add(feed)
    engine.take_on(feed, Look("red", blend("red")))
    for level in (200, 210):
        done.clear()
        frame = to_frame(np.full((48, 64, 3), level, np.uint8))
        frame.pts, frame.time_base = level, Fraction(1, 1000)
        engine.put(feed, frame)
        assert done.wait(30)
    engine.stop()
    assert np.allclose(seen, [10, 20, 30, 200, 210], atol=2) and json.loads(feed.stream.save())[3] == 5
    recalled = [int(picture.mean()) for picture in unpack(feed.recall.pack())]
    assert np.allclose(recalled, [10, 20, 30, 200, 210], atol=3)

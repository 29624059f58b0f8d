"""People found in a real clip, and looks on them or around them only."""

import threading
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest

from reverie.models.blend import blend
from reverie.models.toy import ToyModel
from reverie.server.engine import Engine, Feed, Look
from reverie.server.metrics import Metrics
from reverie.server.pictures import resize, to_rgb
from reverie.server.segment import Outline, Segmenter, compose, folder, is_here, refine

FACE, WALL = (slice(120, 250), slice(250, 340)), (slice(0, 300), slice(440, 540))  # of the clip's 640x360


@pytest.fixture(scope="module")
def segmenter() -> Segmenter:
    if not is_here(folder()):
        pytest.skip(f"the networks are not in {folder()}: npm could not get them")
    return Segmenter(folder())


@pytest.fixture(scope="module")
def faces(face_clip: Path) -> list[np.ndarray]:
    with av.open(str(face_clip)) as clip:
        return [to_rgb(frame) for _, frame in zip(range(8), clip.decode(video=0), strict=False)]


def test_a_person_is_found_and_the_wall_is_not(segmenter: Segmenter, faces: list[np.ndarray]) -> None:
    outline = Outline(segmenter)
    for picture in faces:
        matte = outline.next(picture)
        assert matte.shape == picture.shape[:2] and matte.dtype == np.float32
        assert matte[FACE].mean() > 0.97
        assert matte[WALL].mean() < 0.02


def test_a_tall_picture_is_told_by_the_square_network(segmenter: Segmenter, faces: list[np.ndarray]) -> None:
    tall = np.ascontiguousarray(faces[0][:, 170:470])
    assert segmenter.probability(tall).shape == (256, 256)
    matte = Outline(segmenter).next(tall)
    assert matte[120:250, 80:170].mean() > 0.9 and matte[:250, 275:].mean() < 0.1


def test_our_last_layer_gives_what_opencv_gives(segmenter: Segmenter, faces: list[np.ndarray]) -> None:
    network = segmenter._wide
    ours = network.probability(faces[0])
    network._net.setInput(cv2.dnn.blobFromImage(faces[0], 1 / 255, network.size))
    assert np.abs(ours - network._net.forward()[0, 0]).max() < 1e-4


def test_the_person_is_found_anew_when_something_moved_and_seldom_when_nothing_did() -> None:
    class Counted:
        asked = 0

        def probability(self, picture: np.ndarray) -> np.ndarray:
            self.asked += 1
            return np.zeros((144, 256), np.float32)

    counted: Any = Counted()
    outline, still = Outline(counted), np.zeros((288, 512, 3), np.uint8)
    for _ in range(12):
        outline.next(still)
    assert counted.asked == 2
    for n in range(12):
        moving = still.copy()
        moving[100:150, 40 * n : 40 * n + 40] = 200
        outline.next(moving)
    assert counted.asked == 6


def test_a_refined_edge_is_that_of_the_picture() -> None:
    """A dark disc on a bright wall; the coarse matte is a quarter of the size and one pixel off."""
    y, x = np.mgrid[:288, :512]
    inside = np.hypot(y - 144, x - 256) < 90
    luma = np.where(inside, 40, 210).astype(np.uint8)
    coarse = cv2.resize(np.roll(inside, 3, 1).astype(np.float32), (128, 72), interpolation=cv2.INTER_AREA)
    plain = cv2.resize(coarse, (512, 288))
    assert np.abs(refine(coarse, luma) - inside).mean() < 0.6 * np.abs(plain - inside).mean()


@pytest.mark.parametrize("mask", ["subject", "background"])
def test_the_engine_puts_the_look_where_it_is_wanted(mask: str, segmenter: Segmenter, faces: list[np.ndarray]) -> None:
    source = resize(faces[0], 512, 288)
    came, shown = threading.Event(), []
    feed = Feed(ToyModel().stream(), lambda *news: (shown.append(news), came.set()), shown.append)
    feed.look = Look("invert", blend("invert"), mask=mask)
    engine = Engine(Metrics(), "", segmenter)
    engine.add(feed)
    frame = av.VideoFrame.from_ndarray(source, "rgb24").reformat(format="yuv420p")
    frame.pts, frame.time_base = 0, Fraction(1, 90000)
    engine.put(feed, frame)
    assert came.wait(10)
    engine.stop()
    picture = to_rgb(shown[0][0]).astype(int)
    face, wall = (slice(96, 200), slice(200, 270)), (slice(0, 240), slice(352, 430))
    styled, plain = (face, wall) if mask == "subject" else (wall, face)
    assert np.abs(picture[styled] - (255 - source[styled])).mean() < 8
    assert np.abs(picture[plain] - source[plain]).mean() < 8


def test_another_mask_does_not_start_the_stream_anew() -> None:
    stream = ToyModel().stream()
    feed = Feed(stream, lambda *news: None, lambda reason: None)
    feed.dress(Look("invert", blend("invert")), 0.0)
    stream.step(np.zeros((3, 16, 16, 3), np.uint8))
    feed.dress(Look("invert", blend("invert"), mask="subject"), 1.0)
    assert stream._frame == 3
    feed.dress(Look("red", blend("red"), mask="subject"), 2.0)
    assert stream._frame == 0


def test_the_two_masks_are_each_others_opposite() -> None:
    rng = np.random.default_rng(0)
    a, b = (rng.integers(0, 256, (8, 8, 3), np.uint8) for _ in range(2))
    matte = rng.random((8, 8), np.float32)
    assert np.array_equal(compose(a, b, matte, "subject"), compose(b, a, matte, "background"))


def test_missing_networks_are_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="make serve"):
        Segmenter(tmp_path)
    assert not is_here(tmp_path)

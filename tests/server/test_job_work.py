"""Clips and pictures in another look, and what is no clip."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image

from reverie.models.toy import ToyModel
from reverie.server import chunks
from reverie.server.engine import Engine
from reverie.server.job_work import Painter, check, fit
from reverie.server.jobs import Job, Stopped
from reverie.server.metrics import Metrics
from reverie.server.moderation import Denied
from reverie.server.provenance import SOURCE_TYPE, read_mark


@pytest.fixture
def painter() -> Iterator[Painter]:
    engine = Engine(Metrics())
    yield Painter(ToyModel(), engine, Denied(["blue"]), "", 2)
    engine.stop()


def job(prompt: str = "red", kind: str = "video", resolution: str = "480p", enhance: bool = False) -> Job:
    return Job("job", "local", "toy", kind, prompt, enhance, 0, resolution, 0.0)


def picture(colour: tuple[int, int, int] = (200, 60, 60), size: tuple[int, int] = (320, 180)) -> bytes:
    written = io.BytesIO()
    Image.new("RGB", size, colour).save(written, "PNG")
    return written.getvalue()


def test_a_clip_gets_the_look_and_the_size_and_keeps_times_and_sound(
    painter: Painter, make_clip: Any, tmp_path: Path
) -> None:
    clip = make_clip("data.mp4", count=10, sound="aac")
    clip.rename(tmp_path / "data")
    assert check(tmp_path, "lucy-latest", 2) == "video"
    told: list[float] = []
    painter(job(), tmp_path, told.append)
    with av.open(str(tmp_path / "output.mp4")) as container:
        assert container.streams.audio
        frames = list(container.decode(video=0))
    assert [(f.width, f.height) for f in frames] == [(720, 480)] * 10
    assert [round(float(f.pts * f.time_base), 2) for f in frames] == [round(0.04 * n, 2) for n in range(10)]
    red, green, blue = frames[0].to_ndarray(format="rgb24").mean((0, 1))
    assert red > 2 * green and red > 2 * blue
    assert told == sorted(told) and told[5] == 0.5
    assert read_mark(tmp_path / "output.mp4") == SOURCE_TYPE
    assert {path.name for path in tmp_path.iterdir()} == {"data", "output.mp4"}


@pytest.mark.parametrize(
    ("prompt", "reference", "colour"),
    [("red", None, (55, 39, 39)), ("", (0, 255, 0), (0, 195, 0)), ("red", (0, 255, 0), (28, 117, 20))],
)
def test_a_picture_takes_words_a_reference_or_both(
    painter: Painter, tmp_path: Path, prompt: str, reference: tuple[int, int, int] | None, colour: tuple[int, int, int]
) -> None:
    (tmp_path / "data").write_bytes(picture())
    if reference:
        (tmp_path / "reference").write_bytes(picture(reference))
    assert check(tmp_path, "lucy-image-2", 2) == "image"
    painter(job(prompt, "image", "720p"), tmp_path, lambda progress: None)
    with Image.open(tmp_path / "output.png") as made:
        assert made.size == (1280, 720) and SOURCE_TYPE in made.text["XML:com.adobe.xmp"]
        assert np.abs(np.asarray(made).mean((0, 1)) - colour).max() < 3


def test_a_prompt_is_enriched_unless_what_comes_is_denied(tmp_path: Path) -> None:
    engine = Engine(Metrics())
    (tmp_path / "data").write_bytes(picture())
    for denied, colour in ((Denied(), (11, 39, 195)), (Denied(["blue"]), (55, 195, 195))):
        painter = Painter(ToyModel(), engine, denied, "", 2)
        painter(job("invert", "image", enhance=True), tmp_path, lambda progress: None)
        with Image.open(tmp_path / "output.png") as made:
            assert np.abs(np.asarray(made).mean((0, 1)) - colour).max() < 3
    engine.stop()


def test_what_is_no_clip_is_told_in_one_sentence(make_clip: Any, tmp_path: Path) -> None:
    make_clip("data.mp4", count=80).rename(tmp_path / "data")
    with pytest.raises(ValueError, match="may last 2 s, this lasts 3 s"):
        check(tmp_path, "toy", 2)
    with pytest.raises(ValueError, match="takes a picture"):
        check(tmp_path, "lucy-image-2", 9)
    (tmp_path / "data").write_bytes(picture())
    assert check(tmp_path, "toy", 2) == "image"
    with pytest.raises(ValueError, match="not a video"):
        check(tmp_path, "lucy-2.5", 2)
    (tmp_path / "reference").write_bytes(b"no picture")
    with pytest.raises(ValueError, match="the reference picture is none of"):
        check(tmp_path, "toy", 2)


def test_a_clip_that_has_more_than_it_says_is_stopped(painter: Painter, make_clip: Any, tmp_path: Path) -> None:
    make_clip("data.mp4", count=130, size=(32, 32), times=list(range(130))).rename(tmp_path / "data")
    with pytest.raises(ValueError, match="may have 120 frames"):
        painter(job(resolution=""), tmp_path, lambda progress: None)
    assert {path.name for path in tmp_path.iterdir()} == {"data"}


@pytest.mark.parametrize(
    ("size", "resolution", "fits"),
    [
        ((640, 360), "720p", (1280, 720)), ((360, 640), "720p", (720, 1280)), ((640, 480), "480p", (640, 480)),
        ((3000, 10), "480p", (854, 2)), ((101, 57), "", (100, 56)), ((1, 1), "", (2, 2)),
    ],
)  # fmt: skip
def test_a_picture_fits_its_resolutions_box(size: tuple[int, int], resolution: str, fits: tuple[int, int]) -> None:
    assert fit(*size, resolution) == fits


def test_a_job_goes_on_after_its_last_finished_chunk_and_looks_the_same(
    painter: Painter, make_clip: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chunks.plan, "__defaults__", (0.7, 9.0))
    clip = make_clip("data.mp4", count=48, options={"g": "10"})
    shown: list[list[np.ndarray]] = []
    for name, stops_at in (("once", None), ("twice", 30)):
        (folder := tmp_path / name).mkdir()
        (folder / "data").write_bytes(clip.read_bytes())
        told: list[float] = []

        def tell(progress: float, told: list[float] = told, stops_at: int | None = stops_at) -> None:
            if len(told) == stops_at:
                raise Stopped
            told.append(progress)

        if stops_at:
            with pytest.raises(Stopped):
                painter(job(enhance=True), folder, tell)
            assert [path.name for path in sorted((folder / "chunks").iterdir())] == ["00000.nut", "words"]
            told.clear()
            monkeypatch.setattr(painter._model, "enhance", lambda prompt: pytest.fail("the LLM was asked again"))
        painter(job(enhance=True), folder, told.append)
        assert told[0] == (20 / 48 if stops_at else 0.0)
        assert len(told) == (28 + 1 + chunks.OVERLAP if stops_at else 48)
        assert {path.name for path in folder.iterdir()} == {"data", "output.mp4"}
        with av.open(str(folder / "output.mp4")) as container:
            shown.append([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])
    assert len(shown[0]) == len(shown[1]) == 48
    assert all(np.array_equal(a, b) for a, b in zip(*shown, strict=True))

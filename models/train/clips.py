"""Clips to train on: real video, and pictures under a moving camera; light that changes, cuts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import av
import cv2
import numpy as np
from numpy.typing import NDArray

HEIGHT, WIDTH, FRAMES = 224, 384, 6
CUT, LIGHT = 0.12, 0.3  # share of clips with a cut, with changing light
Pictures = NDArray[np.uint8]  # (T, H, W, 3) or (H, W, 3) RGB
Shoot = Callable[[], Pictures]


class Shot(NamedTuple):
    """Frames (T, H, W, 3), and the frames at which another scene begins."""

    frames: Pictures
    cuts: tuple[int, ...] = ()


def of_photo(path: Path, count: int, rng: np.random.Generator) -> list[Shot]:
    """Clips of a camera that moves over a picture.  Raises ValueError if it is none."""
    picture = read(path)
    return [_finished(lambda: _move(picture, rng), rng) for _ in range(count)]


def of_video(path: Path, count: int, held: bool, rng: np.random.Generator) -> list[Shot]:
    """Clips of neighbouring frames, each with its own crop; the last tenth of a video is held out."""
    frames = frames_of(path)
    split = int(len(frames) * 0.9)
    first, last = (split, len(frames)) if held else (0, split - 2 * FRAMES)

    def shot(start: int) -> Pictures:
        stride, zoom, place = int(rng.integers(1, 3)), rng.uniform(1.0, 1.7), rng.random(2)
        picked = [frames[min(start + stride * t, len(frames) - 1)] for t in range(FRAMES)]
        return np.stack([cover(frame, zoom, place) for frame in picked])

    def shoot(start: int) -> Shoot:
        starts = iter([start])  # a cut goes anywhere
        return lambda: shot(next(starts, int(rng.integers(first, max(first + 1, last - 2 * FRAMES)))))

    places = np.linspace(first, max(first, last - 2 * FRAMES), count).astype(int)
    return [_finished(shoot(int(place)), rng) for place in places]


def _finished(shoot: Shoot, rng: np.random.Generator) -> Shot:
    """A shot, sometimes cut to another one, mirrored, in changing light."""
    frames, cuts = shoot(), tuple[int, ...]()
    if rng.random() < CUT:
        at = int(rng.integers(1, FRAMES))
        frames, cuts = np.concatenate((frames[:at], shoot()[at:])), (at,)
    if rng.random() < 0.5:
        frames = frames[:, :, ::-1]
    if rng.random() < LIGHT:
        frames = _relit(frames, rng)
    return Shot(np.ascontiguousarray(frames), cuts)


def _move(picture: Pictures, rng: np.random.Generator) -> Pictures:
    """Pan, turn and zoom at a speed that changes a little."""
    still = cover(picture, rng.uniform(1.02, 1.8), rng.random(2))
    speed = rng.normal(0, (0.5, 0.01, 2.0, 2.0)) * rng.choice((0.3, 1.0))
    place = np.zeros(4)
    frames = []
    for _ in range(FRAMES):
        turn, zoom, right, down = place
        m = cv2.getRotationMatrix2D((WIDTH / 2, HEIGHT / 2), float(turn), float(1 + zoom))
        m[:, 2] += right, down
        frames.append(cv2.warpAffine(still, m, (WIDTH, HEIGHT), borderMode=cv2.BORDER_REFLECT))
        place = place + speed * rng.uniform(0.6, 1.4)
    return np.stack(frames)


def _relit(frames: Pictures, rng: np.random.Generator) -> Pictures:
    """Brightness and warmth drift over the clip, as clouds and lamps make them."""
    ends = np.exp(rng.normal(0, 0.22, (2, 1))) * np.exp(rng.normal(0, 0.05, (2, 3)))
    share = np.linspace(0, 1, len(frames))[:, None]
    gain = ends[0] * (1 - share) + ends[1] * share
    tables = np.clip(np.arange(256)[:, None, None] * gain, 0, 255).astype(np.uint8)  # (256, T, 3)
    return np.stack(
        [np.stack([tables[:, t, c][frame[..., c]] for c in range(3)], -1) for t, frame in enumerate(frames)]
    )


def read(path: Path) -> Pictures:
    found = cv2.imread(str(path))
    if found is None:
        raise ValueError(f"{path.name} is not a picture")
    return cv2.cvtColor(found, cv2.COLOR_BGR2RGB)


def frames_of(path: Path) -> list[Pictures]:
    """All frames of a video as RGB, at most 720 pixels high."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        scale = min(1.0, 720 / stream.height)
        width, height = (max(2, int(n * scale) // 2 * 2) for n in (stream.width, stream.height))
        return [f.reformat(width, height).to_ndarray(format="rgb24") for f in container.decode(stream)]


def cover(
    picture: Pictures, zoom: float, place: NDArray[np.float64], frame: tuple[int, int] = (HEIGHT, WIDTH)
) -> Pictures:
    """Resize to cover the frame (height, width) times zoom and cut at a place (0..1 down, 0..1 right)."""
    height, width = frame
    scale = max(width / picture.shape[1], height / picture.shape[0]) * zoom
    size = max(width, round(picture.shape[1] * scale)), max(height, round(picture.shape[0] * scale))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    resized = cv2.resize(picture, size, interpolation=method)
    y, x = (int(p * (n - m)) for p, n, m in zip(place, resized.shape, frame, strict=False))
    return resized[y : y + height, x : x + width]


def framed(path: Path) -> Pictures:
    """The middle of a picture file, (224, 384, 3) RGB.  Raises ValueError if it is none."""
    return cover(read(path), 1.0, np.array([0.5, 0.5]))

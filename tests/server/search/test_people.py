import numpy as np
import pytest

from reverie.server.search import people

data = pytest.importorskip("skimage.data")


@pytest.fixture(scope="module")
def faces() -> people.Faces:
    if (path := people.model()) is None:
        pytest.skip(f"{people.PACKAGE} is not installed")
    return people.Faces(path)


def test_a_face_is_found_where_it_is(faces: people.Faces) -> None:
    ((x, y, width, height),) = faces.find(data.astronaut())
    assert 150 < x + width / 2 < 290 and 60 < y + height / 2 < 170 and 50 < height < 160


def test_two_faces_side_by_side_are_two(faces: people.Faces) -> None:
    face = data.astronaut()[:256, 96:352]
    assert len(faces.find(np.hstack([face, face[:, ::-1]]))) == 2


def test_where_nobody_is_nobody_is_found(faces: people.Faces) -> None:
    assert len(faces.find(data.coffee())) == 0 and len(faces.find(np.zeros((90, 160, 3), np.uint8))) == 0

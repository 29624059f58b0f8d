"""Reference pictures: their statistics, their names, and the encoder that is shipped."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from skimage import data

from reverie.models import picture
from reverie.models.blend import blend
from reverie.models.config import NANO

ASTRONAUT = data.astronaut()


def test_the_same_picture_has_the_same_name_and_it_stands_in_a_blend_as_it_is() -> None:
    name = picture.name(ASTRONAUT)
    assert name == picture.name(ASTRONAUT.copy()) == picture.name(np.asfortranarray(ASTRONAUT))
    changed = ASTRONAUT.copy()
    changed[0, 0, 0] ^= 1
    assert picture.name(changed) != name
    assert picture.name(np.zeros((16, 32, 3), np.uint8)) != picture.name(np.zeros((32, 16, 3), np.uint8))
    assert blend([(name, 1), ("oil", 3)]) == ((name, 0.25), ("oil", 0.75))


@pytest.mark.parametrize(
    "wrong",
    [
        np.zeros((15, 99, 3), np.uint8),
        np.zeros((99, 99, 4), np.uint8),
        np.zeros((99, 99, 3)),
        np.zeros((9, 9), np.uint8),
    ],
)
def test_what_is_no_picture_is_refused(wrong: np.ndarray) -> None:
    for each in (picture.name, picture.features, picture.Pictures((1,)).take):
        with pytest.raises(ValueError, match="a picture must be"):
            each(wrong)


def test_statistics_see_the_look_and_not_the_size() -> None:
    far = lambda a, b: float(np.abs(picture.features(a) - picture.features(b)).mean())
    half = cv2.resize(ASTRONAUT, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    thermal = cv2.applyColorMap(ASTRONAUT, cv2.COLORMAP_INFERNO)
    for same in (half, np.roll(ASTRONAUT, 200, 1), ASTRONAUT[:, ::-1]):
        assert 4 * far(ASTRONAUT, same) < far(ASTRONAUT, thermal)


@pytest.mark.parametrize("shape", [(16, 16), (16, 4000), (3000, 20), (720, 1280)])
def test_any_shape_and_any_colour_gives_finite_tokens(shape: tuple[int, int]) -> None:
    encode = picture.load()
    for value in (0, 127, 255):
        tokens = encode(np.full((*shape, 3), value, np.uint8))
        assert tokens.shape == (NANO.style_tokens, NANO.cond) and tokens.dtype == np.float32
        assert np.allclose(np.square(tokens).mean(-1), 1, atol=1e-3)  # as long as a prompt's


def test_pictures_are_known_by_name_until_too_many_came(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(picture, "KEPT", 2)
    known = picture.Pictures((3,), lambda image: image.mean((0, 1)).astype(np.float32))
    names = [known.take(np.full((16, 16, 3), value, np.uint8)) for value in (10, 20)]
    assert known[names[0]].tolist() == [10, 10, 10]
    known.take(np.full((16, 16, 3), 30, np.uint8))
    assert known[names[0]].tolist() == [10, 10, 10]  # it was asked for last
    with pytest.raises(ValueError, match="no reference picture"):
        known[names[1]]
    with pytest.raises(ValueError, match="float32"):
        known.keep({"picture:1": np.zeros(4, np.float32)})


def test_an_encoder_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"gone\.safetensors"):
        picture.load(tmp_path / "gone.safetensors")

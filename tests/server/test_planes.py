"""The camera's picture in its own planes."""

import cv2
import numpy as np
import pytest

from reverie.server.pictures import to_frame, to_rgb
from reverie.server.planes import Planes
from reverie.server.upscale import upscale


def drawn(width: int, height: int) -> np.ndarray:
    """Lines on soft colours."""
    across, down = np.meshgrid(np.linspace(60, 200, width), np.linspace(200, 60, height))
    picture = np.stack((across, down, (across + down) / 2), axis=2).astype(np.uint8)
    for at in range(0, width, 23):
        cv2.line(picture, (at, 0), (width - at, height), (210, 190, 170), 1)
    return picture


def far(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.abs(one.astype(int) - other).mean())


@pytest.mark.parametrize("size", [(640, 360), (1280, 720), (384, 216), (360, 640)])
def test_a_small_picture_is_that_of_the_whole_one(size: tuple[int, int]) -> None:
    picture = drawn(*size)
    width, height = (256, 144) if size[0] > size[1] else (144, 256)
    small = Planes(to_frame(picture)).small(width, height)
    assert small.shape == (height, width, 3)
    assert far(small, cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)) < 2


@pytest.mark.parametrize("size", [(640, 360), (1280, 720)])
def test_a_styled_picture_is_enlarged_as_in_rgb(size: tuple[int, int]) -> None:
    """Chroma is blurred a little more, as 4:2:0 has it."""
    frame = to_frame(drawn(*size))
    planes = Planes(frame)
    styled = 255 - planes.small(256, 144)
    shown = planes.frame(styled)
    assert (shown.width, shown.height, shown.format.name) == (*size, "yuv420p")
    assert far(to_rgb(shown), upscale(styled, to_rgb(frame))) < 1.5


def test_detail_comes_back_in_luma() -> None:
    """Against the plain enlargement, with a size that was not the last one asked for."""
    planes = Planes(to_frame(drawn(640, 360)))
    small = planes.small(256, 144)
    planes.small(128, 80)
    plain = cv2.resize(small, (640, 360), interpolation=cv2.INTER_CUBIC)
    luma = lambda picture: cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(float)
    error = lambda shown: float(np.square(luma(shown) - luma(planes.rgb)).mean())
    assert error(to_rgb(planes.frame(small))) < 0.7 * error(plain)


def test_the_source_s_own_size_is_the_picture_itself() -> None:
    planes = Planes(to_frame(drawn(256, 144)))
    assert far(to_rgb(planes.frame(planes.small(256, 144))), planes.rgb) < 1


def test_odd_sides_and_other_formats_are_taken() -> None:
    picture = drawn(321, 181)
    frame = to_frame(np.zeros((2, 2, 3), np.uint8)).from_ndarray(picture, "rgb24")
    planes = Planes(frame)
    assert planes.size == (320, 180)
    assert planes.frame(planes.small(256, 144)).width == 320

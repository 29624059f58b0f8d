"""Frames and arrays."""

from concurrent.futures import ThreadPoolExecutor

import av
import numpy as np
import pytest

from reverie.server.pictures import reformat, resize, to_frame, to_rgb


def smooth(height: int, width: int) -> np.ndarray:
    y, x = np.mgrid[0:height, 0:width]
    return np.stack((x * 255 // width, y * 255 // height, np.full_like(x, 90)), -1).astype(np.uint8)


@pytest.mark.parametrize(("height", "width"), [(48, 64), (240, 322)])
def test_a_picture_survives_the_way_to_a_frame_and_back(height: int, width: int) -> None:
    back = to_rgb(to_frame(smooth(height, width)))
    assert back.shape == (height, width, 3)
    assert np.abs(back.astype(int) - smooth(height, width)).mean() < 4


def test_an_odd_row_or_column_is_left_out() -> None:
    frame = to_frame(smooth(49, 65))
    assert (frame.width, frame.height) == (64, 48)


@pytest.mark.parametrize("form", ["yuv444p", "yuv420p10le", "rgb24", "gray", "yuv422p"])
def test_every_pixel_format_becomes_rgb(form: str) -> None:
    frame = av.VideoFrame.from_ndarray(smooth(48, 64), "rgb24").reformat(format=form)
    assert to_rgb(frame).shape == (48, 64, 3)


def test_the_same_size_is_the_same_array() -> None:
    picture = smooth(48, 64)
    assert resize(picture, 64, 48) is picture
    assert resize(picture, 32, 16).shape == (16, 32, 3)


def test_many_threads_may_scale_one_frame_at_once() -> None:
    """Every viewer's quality has a thread; `frame.reformat` stood still here."""
    frame = to_frame(smooth(288, 512))

    def scale(number: int) -> tuple[int, int]:
        width, height = 64 + 32 * (number % 5), 36 + 18 * (number % 5)
        done = reformat(frame, width, height, "yuv420p", interpolation="AREA")
        return done.width - width, done.height - height

    with ThreadPoolExecutor(8) as threads:
        assert set(threads.map(scale, range(400))) == {(0, 0)}

"""The styled picture at the source's size."""

import cv2
import numpy as np

from reverie.server.upscale import upscale


def source() -> np.ndarray:
    picture = np.full((144, 256, 3), 90, np.uint8)
    for i in range(12):
        cv2.line(picture, (20 * i, 0), (20 * i + 15, 143), (200, 190, 180), 1)
    return picture


def small(picture: np.ndarray) -> np.ndarray:
    return cv2.resize(picture, (128, 72), interpolation=cv2.INTER_AREA)


def test_equal_sizes_are_the_identity() -> None:
    picture = source()
    assert upscale(picture, picture) is picture


def test_the_guide_brings_detail_back() -> None:
    plain = cv2.resize(small(source()), (256, 144), interpolation=cv2.INTER_CUBIC)
    guided = upscale(small(source()), source())
    error = lambda shown: float(np.square(shown.astype(float) - source()).mean())
    assert error(guided) < 0.7 * error(plain)


def test_detail_follows_the_sign_of_the_look() -> None:
    inverted = 255 - source()
    plain = cv2.resize(255 - small(source()), (256, 144), interpolation=cv2.INTER_CUBIC)
    error = lambda shown: float(np.square(shown.astype(float) - inverted).mean())
    assert error(upscale(255 - small(source()), source())) < 0.7 * error(plain)


def test_a_smaller_source_only_shrinks() -> None:
    assert upscale(source(), small(source())).shape == (72, 128, 3)


def test_a_flat_look_stays_flat() -> None:
    flat = np.full((72, 128, 3), 77, np.uint8)
    assert np.abs(upscale(flat, source()).astype(int) - 77).max() <= 1

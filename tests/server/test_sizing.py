"""Render sizes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reverie.server.sizing import MAX_AREA, render_size

SIDES = st.integers(1, 10_000)


@pytest.mark.parametrize(
    ("source", "render"),
    [
        ((1920, 1080), (512, 288)), ((1280, 720), (512, 288)), ((512, 288), (512, 288)), ((1080, 1920), (288, 512)),
        ((640, 480), (432, 320)), ((320, 240), (320, 240)), ((100, 100), (96, 96)), ((5, 7), (16, 16)),
        ((1000, 1000), (384, 384)), ((10_000, 4), (9216, 16)),
    ],
)  # fmt: skip
def test_known_sizes(source: tuple[int, int], render: tuple[int, int]) -> None:
    assert render_size(*source) == render


@given(SIDES, SIDES)
def test_sides_are_multiples_of_16_within_the_area(width: int, height: int) -> None:
    w, h = render_size(width, height)
    assert w % 16 == h % 16 == 0
    assert w >= 16 and h >= 16 and w * h <= MAX_AREA


@given(st.integers(288, 4000), st.integers(288, 4000))
def test_the_aspect_is_kept_to_a_unit(width: int, height: int) -> None:
    w, h = render_size(width, height)
    scale = min(1.0, (MAX_AREA / (width * height)) ** 0.5)
    assert -1e-6 <= width * scale - w < 16.001
    assert -1e-6 <= height * scale - h < 16.001


def test_a_picture_without_size_is_refused() -> None:
    with pytest.raises(ValueError, match="0x5"):
        render_size(0, 5)

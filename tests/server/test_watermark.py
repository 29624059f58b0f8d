"""Words in the corner."""

import numpy as np
import pytest

from reverie.server.watermark import mark


@pytest.mark.parametrize("shade", [0, 128, 255])
@pytest.mark.parametrize("size", [(288, 512), (720, 1280), (64, 64)])
def test_the_mark_can_be_read_on_any_ground_and_stays_in_its_corner(shade: int, size: tuple[int, int]) -> None:
    picture = np.full((*size, 3), shade, np.uint8)
    mark(picture, "AI generated")
    changed = picture[..., 0] != shade
    assert np.ptp(picture[changed].astype(int)) + abs(int(picture[changed].max()) - shade) > 60
    assert not changed[: size[0] // 2].any()


def test_no_words_change_nothing() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    before = picture.copy()
    mark(picture, "")
    assert np.array_equal(picture, before)

from typing import Any

import numpy as np
import pytest

from reverie.server.effect_worker import Context


@pytest.mark.parametrize("size", [(288, 512), (640, 360), (16, 400)])
def test_the_camera_is_small_in_a_corner(effect: Any, size: tuple[int, int]) -> None:
    frame = np.full((*size, 3), 10, np.uint8)
    camera = np.full((*size, 3), 200, np.uint8)
    effect("picture_in_picture")(frame, Context(styled=True, camera=camera))
    share = (frame == 200).mean()
    assert 0.05 < share < 0.1 or size[0] == 16
    assert (frame[size[0] // 2 :] == 10).all()


def test_alone_the_camera_stays_alone(effect: Any) -> None:
    frame = np.full((288, 512, 3), 10, np.uint8)
    effect("picture_in_picture")(frame, Context(styled=False, camera=np.zeros_like(frame)))
    assert (frame == 10).all()

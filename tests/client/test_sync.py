"""Sessions without await."""

from typing import Any

import numpy as np
import pytest

from reverie.client import ConnectionLost, Frames, sync


def test_a_loop_over_frames(toy: Any) -> None:
    pictures = Frames([np.full((240, 320, 3), (200, 60, 60), np.uint8)] * 40)
    with sync.connect(toy.url, pictures, "red") as session:
        first = next(frame for frame in session if frame.step)
        assert abs(first.image.mean((0, 1)) - (55, 39, 39)).max() < 25
        session.set_prompt("blue")
        session.set(strength=0.5)
        rest = list(session)
    assert rest and rest[-1].number > first.number
    assert session.stats().sent == 40


def test_errors_come_through() -> None:
    with pytest.raises(ConnectionLost), sync.connect("http://127.0.0.1:9", Frames([])):
        pass

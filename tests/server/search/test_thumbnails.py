import cv2
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from reverie.server.search.thumbnails import MAX_BYTES, SIDE, webp


@settings(max_examples=10, deadline=None)
@given(st.integers(1, 700), st.integers(1, 700), st.integers(0, 2**32 - 1))
def test_even_noise_fits(height: int, width: int, seed: int) -> None:
    raw = webp(np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8))
    assert len(raw) <= MAX_BYTES and raw[:4] == b"RIFF" and raw[8:12] == b"WEBP"


def test_a_picture_keeps_its_colours_and_shape() -> None:
    raw = webp(np.full((360, 640, 3), (200, 60, 20), np.uint8))
    back = cv2.cvtColor(cv2.imdecode(np.frombuffer(raw, np.uint8), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
    assert back.shape == (144, SIDE, 3)
    assert np.abs(back.mean((0, 1)) - (200, 60, 20)).max() < 4

from typing import Any

import numpy as np
import pytest

from reverie.server.effect_worker import Context


@pytest.mark.parametrize("words", ["pop art", "a very long look " * 9, "Gemälde", ""])
def test_words_stand_in_a_bar_and_the_rest_stays(effect: Any, words: str) -> None:
    frame = np.full((288, 512, 3), 120, np.uint8)
    effect("subtitle_bar")(frame, Context(prompt=words))
    assert (frame[:253] == 120).all() and frame[253:].min() == 30
    bright = np.argwhere(frame[253:, :, 0] > 200)
    assert len(bright) > 50 and bright[:, 1].min() > 8 and bright[:, 1].max() < 504

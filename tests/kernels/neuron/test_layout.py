"""Where weights and vectors lie."""

import numpy as np
import pytest
from rig.cases import CASES

from reverie.kernels.neuron import layout
from reverie.kernels.reference_video import keys_values
from reverie.kernels.tasks import BLOCK_BYTES, Conv


@pytest.mark.parametrize(
    ("channels", "chunk"), [(16, 16), (64, 64), (128, 128), (192, 96), (256, 128), (576, 96), (1536, 128)]
)
def test_chunks_are_the_largest_that_divide(channels: int, chunk: int) -> None:
    assert layout.chunk(channels) == chunk


def test_narrow_kernels_share_passes() -> None:
    task = CASES["conv 3x3"](1)[1][0]
    assert isinstance(task, Conv)
    assert layout.taps(task, pack=True) == 4  # of 32 channels each
    assert layout.taps(task, pack=False) == 0


def test_a_matrix_is_cut_into_tiles_of_outs() -> None:
    weight = np.arange(8 * 6).reshape(8, 6)
    made = layout.matrix(weight, 3, 4).astype(np.float32)
    for tile in range(2):
        for block in range(2):
            column = (tile * 2 + block) * 4
            want = weight[4 * tile : 4 * tile + 4, 3 * block : 3 * block + 3].T
            np.testing.assert_array_equal(made[:3, column : column + 4], want)
    assert not made[3:].any()


def test_a_vector_stands_in_columns() -> None:
    assert layout.tall(np.arange(6, dtype=np.float32), 3)[:4].tolist() == [[0, 3], [1, 4], [2, 5], [0, 0]]


def test_the_swap_turns_pairs_of_each_head() -> None:
    swap = layout.fixed()[:, 256:384]
    x = np.arange(128, dtype=np.float32)
    turned = swap.T @ x
    assert turned[0] == -32 and turned[32] == 0 and turned[64] == -96 and turned[127] == 95


def test_keys_and_values_of_all_heads_lie_side_by_side() -> None:
    rng = np.random.default_rng(0)
    blocks = rng.integers(0, 256, 2 * 2 * BLOCK_BYTES).astype(np.uint8)
    k, v = layout.keys_values(blocks, 2, 100)
    assert k.shape == (128, 100) and v.shape == (100, 128)
    mine, theirs = keys_values(blocks.reshape(2, 2, BLOCK_BYTES)[1])
    np.testing.assert_array_equal(k[64:].T, mine[:100])
    np.testing.assert_array_equal(v[:, 64:], theirs[:100])

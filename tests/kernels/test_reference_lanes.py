"""The reference's float32 arithmetic, against float64."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reverie.kernels.reference_lanes import exp2, exp2_rounded, sigmoid, to_bytes, total, tree, unpacked


def spread(low: float, high: float) -> np.ndarray:
    return np.linspace(low, high, 20_001, dtype=np.float32)


def test_powers_of_two_are_within_four_millionths() -> None:
    x = spread(-126, 0)
    np.testing.assert_allclose(exp2(x), np.exp2(x.astype(np.float64)), rtol=6e-6)
    assert exp2(np.float32([-127, -1e30, 0])).tolist() == [0, 0, 1]


def test_rounded_powers_of_two_are_within_one() -> None:
    x = spread(-126, 7.999)
    exact = np.exp2(x.astype(np.float64))
    assert np.abs(exp2_rounded(x) - exact).max() < 0.5 + 2e-4 * exact.max()
    assert exp2_rounded(np.float32([0, 1, 7, -20])).tolist() == [1, 2, 128, 0]


def test_sigmoids_are_within_a_hundred_thousandth() -> None:
    x = spread(-60, 60)
    np.testing.assert_allclose(sigmoid(x), 1 / (1 + np.exp(-x.astype(np.float64))), rtol=1e-5, atol=1e-26)


@given(st.integers(1, 12), st.integers(0, 99))
def test_a_total_is_a_sum_to_rounding(groups: int, seed: int) -> None:
    x = np.random.default_rng(seed).normal(0, 1, (3, 16 * groups)).astype(np.float32)
    np.testing.assert_allclose(total(x), x.astype(np.float64).sum(-1), atol=1e-5)


def test_lanes_meet_as_a_tree() -> None:
    """Lane i meets i + 8: of 1e8 in lane 0 and -1e8 in lane 8 nothing is left of the ones beside them otherwise."""
    x = np.ones(16, np.float32)
    x[0], x[8] = 1e8, -1e8
    assert tree(x) == 14
    assert tree(np.arange(16, dtype=np.float32), np.maximum) == 15


@pytest.mark.parametrize("x, byte", [(-3.0, 0), (0.5, 0), (1.5, 2), (254.5, 254), (300.0, 255), (1e9, 255)])
def test_bytes_are_the_nearest_and_halves_go_to_the_even(x: float, byte: int) -> None:
    assert to_bytes(np.float32([x])).tolist() == [byte]


def test_packed_weights_are_in_groups_of_sixteen_outs_and_four_inputs() -> None:
    packed = np.arange(2 * 8 * 16, dtype=np.int16).astype(np.int8)
    rows = unpacked(packed, 32)
    assert rows.shape == (32, 8)
    assert rows[0].tolist() == [0, 1, 2, 3, 64, 65, 66, 67]
    assert rows[1, :4].tolist() == [4, 5, 6, 7]
    assert rows[16, 0] == np.int8(-128)

"""MX numbers by hand, and against ml_dtypes."""

import ml_dtypes
import numpy as np
import pytest

from reverie.kernels.neuron.nkisim import mx


def test_scales_by_hand() -> None:
    """amax 448 = 1.75 * 2^8: 2^(8 - 7) for e4m3, so 448 is kept as 224; 1.0: 2^(0 - 7); zeros: 2^-127."""
    x = np.zeros((32, 8), np.float32)
    x[0, 0], x[8, 3], x[0, 4] = 448, 1, -3
    data, scales = mx.quantize(x, mx.E4M3)
    assert scales[:, 0].tolist() == [1 + 127, -7 + 127, 0, 0]
    assert scales[:, 1].tolist() == [1 - 7 + 127, 0, 0, 0]
    assert float(data[0, 0, 0]) == 224 and float(data[8, 0, 3]) == 128 and float(data[0, 1, 0]) == -192


def test_e5m2_keeps_twice_the_room_above_its_largest_power() -> None:
    x = np.full((32, 4), 3.0, np.float32)
    data, scales = mx.quantize(x, mx.E5M2)
    assert (scales == 1 - 14 + 127).all()
    assert (data.astype(np.float32) == 3 * 2.0**13).all()


@pytest.mark.parametrize("kind", [mx.E4M3, mx.E5M2])
def test_what_is_stored_is_the_nearest_8_bit_float(kind: np.dtype) -> None:
    x = np.random.default_rng(1).normal(0, 10, (128, 64)).astype(ml_dtypes.bfloat16).astype(np.float32)
    data, scales = mx.quantize(x, kind)
    power = np.repeat(np.exp2(scales.astype(np.float32) - 127), 8, 0)[:, :, None]
    np.testing.assert_array_equal(data, (x.reshape(128, 16, 4) / power).astype(kind))


def test_scales_lie_in_the_quadrant_of_their_data() -> None:
    assert mx.scale_rows(128).tolist() == [q + i for q in (0, 32, 64, 96) for i in range(4)]


def test_values_come_back_within_half_a_step() -> None:
    x = np.random.default_rng(2).normal(0, 3, (64, 40)).astype(np.float32)
    data, scales = mx.quantize(x, mx.E4M3)
    packed = np.zeros((64, 10), mx.E4M3_X4)
    packed["x4"] = data
    held = np.zeros((64, 10), np.uint8)
    held[mx.scale_rows(64)] = scales
    back = mx.values(packed, held).reshape(64, 4, 10).transpose(0, 2, 1).reshape(64, 40)
    step = np.repeat(np.repeat(np.exp2(scales.astype(np.float32) - 127), 8, 0), 4, 1)
    assert (np.abs(back - x) <= np.maximum(np.abs(x) / 16, step * 2**-10)).all()

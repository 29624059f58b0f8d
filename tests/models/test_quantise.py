"""Bytes for weights and activations."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from reverie.kernels.reference_lanes import unpacked
from reverie.models.quantise import F32, LOWEST_SWISH, PIXEL, Blob, Quant, pack, per_out, quants


def real(quant: Quant, q: np.ndarray) -> F32:
    return (q.astype(np.float32) - quant.zero) * np.float32(quant.step)


def normal(*shape: int, seed: int = 0) -> F32:
    return np.random.default_rng(seed).normal(0, 1, shape).astype(np.float32)


@given(st.floats(0.05, 100), st.sampled_from(["half", "blocks.0.h", "head.x", "head", "blocks.1.o"]))
def test_what_calibration_saw_is_kept_to_half_a_step(most: float, name: str) -> None:
    quant = quants({name: most})[name]
    swish = name in ("half", "blocks.0.h", "head.x")
    x = np.linspace(LOWEST_SWISH if swish else -most, most, 301).astype(np.float32)
    assert np.abs(real(quant, quant.bytes(x)) - x).max() <= quant.step * 0.501 + 1e-6
    assert 0 <= quant.zero <= 255 and (swish or quant.zero == 128)


def test_what_is_beyond_saturates() -> None:
    quant = Quant(0.1)
    assert quant.bytes(np.array([-99.0, 99.0, 0.0], np.float32)).tolist() == [0, 255, 128]


def test_halves_go_to_the_even_byte() -> None:
    assert Quant(1.0, 0).bytes(np.array([0.5, 1.5, 2.5], np.float32)).tolist() == [0, 2, 2]


def test_camera_bytes_are_pixels_but_for_the_middle() -> None:
    """Black is -1 and white is 1 once half a step is added: that is in the stem's bias."""
    q = np.array([0, 255])
    np.testing.assert_allclose(real(PIXEL, q) + 0.5 * PIXEL.step, [-1, 1], atol=1e-6)


def test_packed_weights_are_found_again() -> None:
    weight = np.random.default_rng(0).integers(-127, 128, (48, 36)).astype(np.int8)
    np.testing.assert_array_equal(unpacked(pack(weight).view(np.int8), 48), weight)
    assert pack(weight)[:8].view(np.int8).tolist() == [*weight[0, :4], *weight[1, :4]]


def test_weights_have_a_step_per_output_and_nothing_is_divided_by_zero() -> None:
    weight = normal(5, 3, 3, 8) * np.float32([0, 1e-3, 1, 10, 1e3])[:, None, None, None]
    whole, step = per_out(weight)
    assert not whole[0].any() and np.isfinite(step).all()
    error = np.abs(whole * step[:, None, None, None] - weight)
    assert (error <= 0.501 * step[:, None, None, None]).all()
    assert (np.abs(whole[1:]).reshape(4, -1).max(1) == 127).all()


def test_constants_lie_on_lines_of_their_own() -> None:
    blob, arrays = Blob(), [normal(n, seed=n) for n in (1, 16, 17)]
    places = [blob.put(array) for array in arrays]
    assert places == [0, 64, 128] and blob.size == 256
    for place, array in zip(places, arrays, strict=True):
        np.testing.assert_array_equal(blob.whole()[place : place + array.nbytes].view(np.float32), array)


def test_sums_of_bytes_times_the_step_are_the_layer() -> None:
    """Two inputs of different steps and zeros side by side; only the weights' rounding is lost."""
    quants_, add = (Quant(0.02, 128), Quant(0.3, 17)), normal(32, seed=1)
    weight, rng, blob = normal(32, 1, 1, 48, seed=2), np.random.default_rng(3), Blob()
    layer = blob.layer(weight, add, [(quants_[0], 32), (quants_[1], 16)])
    q = rng.integers(0, 256, 48)
    x = np.concatenate((real(quants_[0], q[:32]), real(quants_[1], q[32:])))
    packed = blob.whole()[layer.weight : layer.weight + 32 * 48].view(np.int8)
    bias = blob.whole()[layer.bias : layer.bias + 4 * 32].view(np.int32)
    y = (unpacked(packed, 32) @ q + bias) * layer.step + layer.add
    lost = 0.5 * layer.step * 255 * 48
    exact = weight.reshape(32, 48) @ x + add
    assert np.abs(y - exact).max() < lost.max() * 0.2
    np.testing.assert_allclose(y, exact, atol=float(0.01 * np.abs(exact).max()))

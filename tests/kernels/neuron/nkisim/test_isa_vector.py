"""ScalarE's and VectorE's arithmetic by hand and against NumPy, and where it is not valid."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reverie.kernels.neuron.nkisim import isa
from reverie.kernels.neuron.nkisim import language as nl
from reverie.kernels.neuron.nkisim.machine import Machine, running
from reverie.kernels.neuron.nkisim.tensor import Violation

RNG = np.random.default_rng(4)
X = RNG.normal(size=(16, 24)).astype(np.float32)


@pytest.fixture(autouse=True)
def core():
    with running(Machine()) as machine:
        yield machine


def held(values, dtype=nl.float32):
    made = nl.ndarray(values.shape, dtype)
    made.array[...] = values
    return made


def room(*shape, dtype=nl.float32):
    return nl.ndarray(shape, dtype)


@pytest.mark.parametrize(
    ("op", "want"),
    [
        (nl.copy, lambda x: x), (nl.square, np.square), (nl.relu, lambda x: np.maximum(x, 0)), (nl.exp, np.exp),
        (nl.silu, lambda x: x / (1 + np.exp(-x))), (nl.sigmoid, lambda x: 1 / (1 + np.exp(-x))), (nl.abs, np.abs),
    ],
)  # fmt: skip
def test_activation_scales_shifts_and_sums(op, want) -> None:
    bias, y, total = RNG.normal(size=(16, 1)).astype(np.float32), room(16, 24), room(16, 1)
    isa.activation(y, op, held(X), bias=held(bias), scale=0.5, reduce_op=nl.add, reduce_res=total)
    np.testing.assert_allclose(y.array, want(X * np.float32(0.5) + bias), rtol=2e-6, atol=1e-7)
    np.testing.assert_allclose(total.array[:, 0], y.array.sum(1), rtol=2e-6, atol=1e-5)


@pytest.mark.parametrize(("op", "bad"), [(nl.sqrt, -1.0), (nl.rsqrt, 0.0), ("sin", 4.0), ("log", 0.0)])
def test_activation_outside_its_range_is_refused(op: str, bad: float) -> None:
    x = np.full((4, 4), 0.5, np.float32)
    isa.activation(room(4, 4), op, held(x))
    x[1, 2] = bad
    with pytest.raises(Violation, match=f"activation {op} is valid from"):
        isa.activation(room(4, 4), op, held(x))
    with pytest.raises(Violation, match="no activation"):
        isa.activation(room(4, 4), "gelu_of_tomorrow", held(x))


def test_exponential_is_a_softmax_step() -> None:
    y, total, top = room(16, 24), room(16, 1), room(16, 1)
    isa.tensor_reduce(top, nl.maximum, held(X), axis=1)
    isa.exponential(y, held(X), max_value=top, reduce_res=total)
    np.testing.assert_allclose(y.array, np.exp(X - X.max(1, keepdims=True)), rtol=2e-6)
    np.testing.assert_allclose(total.array[:, 0], y.array.sum(1), rtol=1e-6)


@settings(deadline=None, max_examples=25)
@given(
    st.sampled_from(["add", "subtract", "multiply", "maximum", "minimum", "less", "greater_equal", "equal"]),
    st.booleans(),
    st.floats(-8, 8, width=16),
)
def test_alu_operations_are_numpys(op: str, reverse: bool, number: float) -> None:
    numpy = getattr(np, op)
    with running(Machine()):
        y, other = room(16, 24), np.round(X * 4)
        isa.tensor_tensor(y, held(X), held(other), op)
        np.testing.assert_array_equal(y.array, numpy(X, other).astype(np.float32))
        isa.tensor_scalar(y, held(X), op, number, reverse0=reverse, op1="multiply", operand1=2.0)
        want = numpy(np.float32(number), X) if reverse else numpy(X, np.float32(number))
        np.testing.assert_array_equal(y.array, want.astype(np.float32) * 2)
        isa.scalar_tensor_tensor(y, held(X), "multiply", number, op, held(other), reverse1=reverse)
        scaled = X * np.float32(number)
        want = numpy(other, scaled) if reverse else numpy(scaled, other)
        np.testing.assert_array_equal(y.array, want.astype(np.float32))


def test_reductions_take_trailing_axes() -> None:
    x, y = RNG.normal(size=(8, 3, 5)).astype(np.float32), room(8, 3)
    isa.tensor_reduce(y, nl.add, held(x), axis=2)
    np.testing.assert_allclose(y.array, x.sum(2), rtol=1e-5, atol=1e-6)
    isa.tensor_reduce(y[:, 0:1], nl.minimum, held(x), axis=(1, 2), negate=True)
    np.testing.assert_array_equal(y.array[:, 0], -x.min((1, 2)))
    with pytest.raises(Violation, match="trailing free axes"):
        isa.tensor_reduce(y, nl.add, held(x), axis=1)


def test_reciprocal() -> None:
    y = room(4, 2)
    isa.reciprocal(y, held(np.array([[1, 2], [4, 8], [0.5, 3], [10, -1]], np.float32)))
    np.testing.assert_array_equal(
        y.array, np.array([[1, 0.5], [0.25, 0.125], [2, 1 / np.float32(3)], [np.float32(0.1), -1]], np.float32)
    )


def test_the_eight_largest_and_where_they_are() -> None:
    x = RNG.permuted(np.tile(np.arange(40, dtype=np.float32), (5, 1)), axis=1)
    top, where = room(5, 8), room(5, 8, dtype=nl.uint32)
    isa.max8(top, held(x))
    isa.nc_find_index8(where, held(x), top)
    assert (top.array == np.arange(39, 31, -1)).all()
    np.testing.assert_array_equal(np.take_along_axis(x, where.array.astype(np.int64), 1), top.array)
    with pytest.raises(Violation, match="max8"):
        isa.max8(room(5, 7), held(x))


def test_quantisation_takes_16_bits_in_sbuf_and_puts_scales_beside() -> None:
    x = RNG.normal(size=(64, 16)).astype(np.float32)
    data, scales = room(64, 4, dtype=nl.float8_e4m3fn_x4), room(64, 4, dtype=nl.uint8)
    isa.quantize_mx(data, held(x, nl.bfloat16), scales)
    written = np.flatnonzero((scales.array != 4).all(1))
    assert written.tolist() == [0, 1, 2, 3, 32, 33, 34, 35]
    with pytest.raises(Violation, match="16-bit floats"):
        isa.quantize_mx(data, held(x), scales)
    with pytest.raises(Violation, match="scales are e8m0"):
        isa.quantize_mx(data, held(x, nl.bfloat16), scales[:, 0:2])


def test_time_grows_with_inputs_and_elements(core) -> None:
    x, y = room(128, 600), room(128, 600)
    isa.tensor_scalar(y, x, nl.add, 1.0)
    isa.tensor_tensor(y, x, x, nl.add)
    isa.exponential(y, x)
    isa.reciprocal(y, x)
    took = [round((e.end - e.begin) * 1.2) for e in core.events]
    assert took == [600 + 60, 1200 + 60, 150 + 60, 4800 + 60]

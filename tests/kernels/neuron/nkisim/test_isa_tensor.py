"""Products and transposes against NumPy; tile limits go red."""

import numpy as np
import pytest

from reverie.kernels.neuron.nkisim import isa, mx
from reverie.kernels.neuron.nkisim import language as nl
from reverie.kernels.neuron.nkisim.machine import Machine, running
from reverie.kernels.neuron.nkisim.tensor import Violation

RNG = np.random.default_rng(3)


@pytest.fixture(autouse=True)
def core():
    with running(Machine()) as machine:
        yield machine


def held(values, dtype=nl.float32):
    made = nl.ndarray(values.shape, dtype)
    made.array[...] = values
    return made


def psum(*shape, dtype=nl.float32, at=None):
    return nl.ndarray(shape, dtype, buffer=nl.psum, name="acc", address=at)


@pytest.mark.parametrize(("k", "m", "n"), [(1, 1, 1), (65, 3, 17), (128, 128, 512)])
def test_a_product_of_whole_numbers_is_exact(k: int, m: int, n: int) -> None:
    a, b = RNG.integers(-127, 128, (k, m)), RNG.integers(0, 256, (k, n))
    y = psum(m, n)
    isa.nc_matmul(y, held(a, nl.bfloat16), held(b, nl.bfloat16), accumulate=False)
    np.testing.assert_array_equal(y.array, a.T @ b)
    isa.nc_matmul(y, held(a, nl.bfloat16), held(b, nl.bfloat16), accumulate=True)
    np.testing.assert_array_equal(y.array, 2 * (a.T @ b))


@pytest.mark.parametrize(("m", "n"), [(129, 8), (8, 513)])
def test_tiles_end_at_128_by_512(m: int, n: int) -> None:
    with pytest.raises(Violation, match="at most 128 x 512"):
        isa.nc_matmul(psum(min(m, 128), n), held(np.zeros((4, m))), held(np.zeros((4, n))), accumulate=False)


def test_a_result_stays_in_one_bank() -> None:
    a = held(np.zeros((4, 4)))
    with pytest.raises(Violation, match="two banks of PSUM: bytes 2040 to 2056"):
        isa.nc_matmul(psum(4, 4, at=(0, 2040)), a, a, accumulate=False)


def test_operands_are_refused_by_place_and_type() -> None:
    a, y = held(np.zeros((4, 4))), psum(4, 4)
    for arguments, reason in (
        ((held(np.zeros((4, 4))), a, a), "matmuls write PSUM"),
        ((y, y, a), "matmuls read SBUF"),
        ((y, held(np.zeros((4, 4)), nl.bfloat16), a), "both operands are float32"),
        ((y, held(np.zeros((4, 4)), nl.int8), held(np.zeros((4, 4)), nl.int8)), "takes floats"),
        ((psum(4, 4, dtype=nl.bfloat16), a, a), "accumulates float32"),
        ((y, held(np.zeros((8, 4))), a), "contracts 8 with 4"),
    ):
        with pytest.raises(Violation, match=reason):
            isa.nc_matmul(*arguments, accumulate=False)
    with pytest.raises(Violation, match="accumulate"):
        isa.nc_matmul(y, a, a)


def test_what_was_never_written_poisons_the_sum() -> None:
    a, y = held(np.ones((4, 4))), psum(4, 4)
    isa.nc_matmul(y, a, a, accumulate=True)
    assert np.isnan(y.array).all()


def quantised(values):
    data, scales = nl.ndarray((len(values), values.shape[1] // 4), nl.float8_e4m3fn_x4), None
    scales = nl.ndarray(data.shape, nl.float8_e8m0fnu)
    isa.quantize_mx(data, held(values, nl.bfloat16), scales)
    return data, scales


@pytest.mark.parametrize("p", [32, 128])
def test_an_mx_product_is_that_of_the_dequantised_values(p: int) -> None:
    a, b = RNG.normal(size=(p, 4 * 6)), RNG.normal(size=(p, 4 * 10))
    (qa, sa), (qb, sb), y = quantised(a), quantised(b), psum(6, 10)
    isa.nc_matmul_mx(y, qa, qb, sa, sb, accumulate=False)
    want = mx.values(qa.array, sa.array).T @ mx.values(qb.array, sb.array)
    np.testing.assert_allclose(y.array, want, rtol=1e-6)
    real = a.reshape(p, 6, 4).transpose(0, 2, 1).reshape(-1, 6).T @ b.reshape(p, 10, 4).transpose(0, 2, 1).reshape(
        -1, 10
    )
    assert np.abs(y.array - real).max() < 0.1 * np.abs(real).max()


def test_mx_refuses_odd_columns_and_loose_scales() -> None:
    (a, s), (b, t), y = quantised(np.zeros((32, 12))), quantised(np.zeros((32, 8))), psum(3, 2)
    with pytest.raises(Violation, match="even number"):
        isa.nc_matmul_mx(y, a, b, s, t, accumulate=False)
    with pytest.raises(Violation, match="scales lie as"):
        isa.nc_matmul_mx(y, a, b, t, t, accumulate=False)
    with pytest.raises(Violation, match="packed 8-bit floats"):
        isa.nc_matmul_mx(y, s, b, s, t, accumulate=False)


def test_mx_contracts_four_times_the_rows_in_the_same_cycles(core) -> None:
    (a, s), (b, t) = quantised(np.zeros((128, 512))), quantised(np.zeros((128, 2048)))
    isa.nc_matmul_mx(psum(128, 512), a, b, s, t, accumulate=False)
    assert core.events[-1].macs == 512 * 128 * 512
    assert core.events[-1].end - core.events[-1].begin == pytest.approx(512 / 2.4)


def test_a_transpose() -> None:
    x = RNG.normal(size=(65, 90)).astype(np.float32)
    y = psum(90, 65)
    isa.nc_transpose(y, held(x))
    np.testing.assert_array_equal(y.array, x.T)
    with pytest.raises(Violation, match="keeps the type"):
        isa.nc_transpose(psum(90, 65, dtype=nl.bfloat16), held(x))
    with pytest.raises(Violation, match="at most 128 x 128"):
        isa.nc_transpose(psum(128, 4), held(np.zeros((4, 129))))

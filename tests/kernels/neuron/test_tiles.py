"""Tiles of the video model, one at a time, against NumPy."""

import numpy as np
import pytest

from reverie.kernels.neuron import tiles
from reverie.kernels.neuron.nkisim import language as nl
from reverie.kernels.neuron.nkisim.machine import Machine, running

RNG = np.random.default_rng(5)


@pytest.fixture(autouse=True)
def core():
    with running(Machine()) as machine:
        yield machine


def hbm(core: Machine, array: np.ndarray):
    return core.hbm("x", array)


@pytest.mark.parametrize(("r0", "r1"), [(0, 5), (0, 2), (2, 4), (3, 5)])
def test_a_shifted_strip_has_its_neighbours_and_a_border(core: Machine, r0: int, r1: int) -> None:
    x = RNG.integers(0, 256, (40, 5, 7), np.uint8)
    got = tiles.shifted(hbm(core, x.reshape(40, 35)), 8, 32, 5, 7, r0, r1, 9.0, 0).floats()
    want = np.pad(x[8:40], ((0, 0), (1, 1), (1, 1)), constant_values=9)[:, r0 : r1 + 2]
    np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize(("r0", "r1"), [(0, 5), (1, 3)])
@pytest.mark.parametrize(("tap", "taps"), [(0, 4), (4, 4), (8, 1), (0, 9)])
def test_gathered_taps_are_im2col(core: Machine, r0: int, r1: int, tap: int, taps: int) -> None:
    x = RNG.integers(0, 256, (8, 5, 7), np.uint8)
    got = tiles.gathered(hbm(core, x.reshape(8, 35)), 8, 5, 7, r0, r1, 3.0, tap, taps, 0).floats()
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1)), constant_values=3)
    want = [padded[:, t // 3 + r0 : t // 3 + r1, t % 3 : t % 3 + 7] for t in range(tap, tap + taps)]
    np.testing.assert_array_equal(got, np.concatenate(want))


@pytest.mark.parametrize("turn", [0, 1], ids=["ScalarE", "VectorE"])
@pytest.mark.parametrize("active", [0, 1])
@pytest.mark.parametrize("skip", [False, True])
def test_the_epilogue_is_scale_shift_residual_activation(core: Machine, turn: int, active: int, skip: bool) -> None:
    sums, residual = RNG.normal(0, 900, (32, 2, 6)), RNG.integers(0, 256, (32, 2, 6))
    vectors = np.zeros((32, 6), np.float32)
    shift, scale, times, gate, zero = 3.5, 0.05, 0.4, 0.02, 20.0
    vectors[:] = (shift + (0 if active else zero), scale, times, 0.5 if skip else shift * gate + 0.5,
                  gate if skip else scale * gate, zero)  # fmt: skip
    acc = nl.ndarray((32, 2, 6), nl.float32, buffer=nl.psum)
    acc.array[...] = sums
    held, kept, y = (
        nl.ndarray((32, 6), nl.float32),
        nl.ndarray((32, 2, 6), nl.bfloat16),
        nl.ndarray((32, 2, 6), nl.uint8),
    )
    held.array[...], kept.array[...] = vectors, residual
    tiles.finish(acc, y, held, 0, kept if skip else None, active, 4096, turn)
    want = sums * scale + shift + (residual * times if skip else 0)
    want = want * np.clip(want * gate + 0.5, 0, 1) if active else want
    np.testing.assert_allclose(y.floats(), np.clip(np.rint(want + zero), 0, 255), atol=1)


def test_a_strip_goes_to_its_channels_and_rows(core: Machine) -> None:
    y, made = hbm(core, np.zeros((64, 12), np.uint8)), tiles.room(32, 2, 3, 0)
    made.array[...] = 7
    tiles.store(y, made, 32, 3)
    assert (y.array[32:, 3:9] == 7).all() and y.array.sum() == 7 * 32 * 6

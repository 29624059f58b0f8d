"""Copies, fills, counts and registers, by hand and against NumPy."""

import numpy as np
import pytest

from reverie.kernels.neuron.nkisim import isa, shim
from reverie.kernels.neuron.nkisim import language as nl
from reverie.kernels.neuron.nkisim.machine import Machine, running
from reverie.kernels.neuron.nkisim.tensor import Violation


@pytest.fixture
def core():
    with running(Machine()) as machine:
        yield machine


def test_dma_casts_through_float32() -> None:
    def kernel(x):
        held = nl.ndarray((4, 3), nl.bfloat16)
        isa.dma_copy(held, x)
        back = nl.ndarray((4, 3), nl.uint8, buffer=nl.shared_hbm)
        isa.dma_copy(back, held)
        return back

    x = np.arange(12, dtype=np.float32).reshape(4, 3) * 21.3
    got = shim.simulate(kernel)(x)
    np.testing.assert_array_equal(got, np.rint(x.astype(nl.bfloat16).astype(np.float32)).astype(np.uint8))


def test_dma_does_not_reach_psum(core) -> None:
    with pytest.raises(Violation, match="PSUM"):
        isa.dma_copy(nl.ndarray((4, 4), nl.float32, buffer=nl.psum), nl.ndarray((4, 4), nl.float32))


def test_short_rows_cost_as_if_they_had_512_bytes(core) -> None:
    x = core.hbm("x", np.zeros((128, 4096), np.uint8))
    for columns in (16, 512, 1024):
        isa.dma_copy(nl.ndarray((128, columns), nl.uint8), x[:, 0:columns])
    took = [round((e.end - e.begin) * 528 / 128) for e in core.events]
    assert took == [512, 512, 1024]


def test_memset_and_copy(core) -> None:
    a, b = nl.ndarray((8, 5), nl.float32), nl.ndarray((8, 5), nl.int8)
    isa.memset(a, -3.5)
    isa.tensor_copy(b, a)
    assert (a.array == -3.5).all() and (b.array == -4).all()


def test_iota_counts_by_hand(core) -> None:
    x = nl.ndarray((3, 2, 2), nl.int32)
    isa.iota(x, [[10, 2], [1, 2]], offset=5, channel_multiplier=100)
    assert x.array[0].tolist() == [[5, 6], [15, 16]]
    assert x.array[2].tolist() == [[205, 206], [215, 216]]


def test_a_register_reads_memory_and_moves_an_address(core) -> None:
    table = core.hbm("table", np.arange(40, dtype=np.float32).reshape(10, 4))
    number = isa.register_alloc(0)
    isa.register_load(number, core.hbm("n", np.array([[7]], np.int32)))
    row = nl.ndarray((1, 4), nl.float32)
    isa.dma_copy(row, table.ap([[4, 1], [1, 4]], scalar_offset=number * 4))
    assert row.array.tolist() == [[28, 29, 30, 31]]
    isa.register_move(number, 9)
    with pytest.raises(Violation, match="leaves table"):
        table.ap([[4, 2], [1, 4]], scalar_offset=number * 4)
    with pytest.raises(Violation, match="32-bit"):
        isa.register_load(number, table[0:1, 0:2])

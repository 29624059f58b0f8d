"""Memory mode: capacity, overlap, use after free; the clock: queues, hazards, the bus."""

import numpy as np
import pytest

from reverie.kernels.neuron.constants import values
from reverie.kernels.neuron.nkisim import isa, shim
from reverie.kernels.neuron.nkisim import language as nl
from reverie.kernels.neuron.nkisim.clock import Event
from reverie.kernels.neuron.nkisim.machine import Machine, machine, running
from reverie.kernels.neuron.nkisim.tensor import Violation

C = values()
OTHER, TENSOR = C["clock.other_ghz"], C["clock.tensor_ghz"]


def tile(columns: int, at: int, name: str = "t", dtype=nl.float32, buffer: str = nl.sbuf, rows: int = 128):
    return nl.ndarray((rows, columns), dtype, buffer=buffer, name=name, address=(0, at))


def test_fresh_memory_is_poisoned() -> None:
    with running(Machine()):
        assert np.isnan(tile(4, 0).array).all()
        assert (tile(4, 64, dtype=nl.int32).array == 4).all()
        assert np.isnan(tile(4, 128, dtype=nl.float8_e4m3fn_x4).array["x4"].astype(np.float32)).all()


def test_usable_memory_ends_at_24_mib() -> None:
    last = int(C["memory.sbuf_usable_bytes"])
    with running(Machine()):
        tile(1, last - 4)
        with pytest.raises(Violation, match=r"196608 to 196612 of sbuf"):
            tile(1, last)
        with pytest.raises(Violation, match="psum, which has 128 and 16384"):
            tile(1, 16384, buffer=nl.psum)
        with pytest.raises(Violation, match="partitions 0 to 129"):
            tile(1, 0, rows=129)
        with pytest.raises(Violation, match="partitions go by 32"):
            nl.ndarray((4, 4), nl.float32, name="askew", address=(3, 0))


def test_without_addresses_memory_is_found_and_runs_out() -> None:
    with running(Machine()) as core:
        made = [nl.ndarray((128, 16384), nl.float32, name=f"t{i}") for i in range(3)]
        assert [t.block.begin for t in made] == [0, 65536, 131072]
        assert core.peak["sbuf"] == 196608
        with pytest.raises(Violation, match="t3 needs"):
            nl.ndarray((128, 1), nl.float32, name="t3")


def test_use_after_free_is_found() -> None:
    with running(Machine()):
        old, apart = tile(64, 0, "old"), tile(64, 256, "apart")
        isa.memset(old, 1.0)
        isa.memset(apart, 1.0)
        new = tile(1, 252, "new")
        isa.memset(new, 2.0)
        isa.memset(apart, 1.0)
        with pytest.raises(Violation, match="old is used after new took its place in sbuf"):
            isa.tensor_copy(apart, old)


def test_partitions_side_by_side_do_not_overlap() -> None:
    with running(Machine()):
        low = nl.ndarray((32, 4), nl.float32, name="low", address=(0, 0))
        nl.ndarray((32, 4), nl.float32, name="high", address=(32, 0))
        isa.memset(low, 1.0)


def test_instructions_need_a_kernel() -> None:
    with pytest.raises(Violation, match="inside a kernel"):
        machine()


def events(kernel) -> list[Event]:
    return shim.run(kernel, {}, Machine(computing=False))[1].events


def test_an_engine_runs_its_queue_in_order() -> None:
    def kernel():
        isa.memset(tile(100, 0, "a"), 0.0)
        isa.memset(tile(100, 512, "b"), 0.0)

    first, second = events(kernel)
    assert second.begin == first.end == (100 + C["vector.fixed_cycles"]) / OTHER


def test_engines_run_side_by_side_until_one_needs_the_other() -> None:
    def kernel():
        a, b = tile(100, 0, "a"), tile(100, 512, "b")
        isa.memset(a, 0.0)
        isa.activation(b, nl.copy, a)
        isa.memset(tile(100, 1024, "c"), 0.0, engine=isa.engine.gpsimd)

    a, b, c = events(kernel)
    assert c.begin == a.begin == 0
    assert b.begin == a.end + C["semaphore_ns"]


def test_a_write_waits_for_the_reads_before_it() -> None:
    def kernel():
        a, b = tile(100, 0, "a"), tile(100, 512, "b")
        isa.activation(b, nl.copy, a)
        isa.memset(a, 0.0)

    read, write = events(kernel)
    assert write.begin == read.end + C["semaphore_ns"]


def test_a_matmul_takes_a_cycle_a_column_and_never_less_than_64() -> None:
    def kernel():
        x = tile(512, 0, "x", nl.bfloat16)
        isa.nc_matmul(tile(512, 0, "y", buffer=nl.psum), x[:, 0:128], x, accumulate=False)
        isa.nc_matmul(tile(1, 4096, "z", buffer=nl.psum), x[:, 0:128], x[:, 0:1], accumulate=False)

    long, short = events(kernel)
    assert long.end - long.begin == pytest.approx(512 / TENSOR)
    assert short.end - short.begin == pytest.approx(64 / TENSOR)
    assert long.macs == 128 * 128 * 512
    assert long.macs * 2 / (long.end - long.begin) == pytest.approx(78_600, rel=0.001)  # GFLOP/s: 79 TFLOP/s is stated


def test_two_transfers_share_the_bus() -> None:
    def kernel(x):
        for at in (0, 4096):
            isa.dma_copy(tile(1024, at), x)

    x = np.zeros((128, 1024), np.float32)
    first, second = shim.run(kernel, {"x": x}, Machine(computing=False))[1].events
    ns = x.nbytes / C["dma.bytes_per_ns"]
    assert (first.begin, first.end) == pytest.approx((C["dma.fixed_ns"], C["dma.fixed_ns"] + ns))
    assert second.end == pytest.approx(first.end + ns)


def test_the_memory_rules_run_without_arithmetic() -> None:
    with running(Machine(computing=False)):
        a, b = tile(4, 0, "a"), tile(4, 16, "b")
        tile(4, 0, "c")
        with pytest.raises(Violation, match="took its place"):
            isa.tensor_copy(b, a)

"""What every instruction refuses."""

import pytest

from reverie.kernels.neuron.nkisim import isa
from reverie.kernels.neuron.nkisim import language as nl
from reverie.kernels.neuron.nkisim.machine import Machine, running
from reverie.kernels.neuron.nkisim.tensor import Violation


@pytest.fixture(autouse=True)
def core():
    with running(Machine()):
        yield


def tile(shape=(128, 8), dtype=nl.float32, buffer=nl.sbuf):
    return nl.ndarray(shape, dtype, buffer=buffer, name="tile")


def test_engines_do_not_reach_hbm() -> None:
    with pytest.raises(Violation, match="SBUF and PSUM only"):
        isa.tensor_copy(tile(), tile(buffer=nl.shared_hbm))


def test_gpsimd_does_not_reach_psum() -> None:
    with pytest.raises(Violation, match="GpSimd cannot reach PSUM"):
        isa.tensor_copy(tile(), tile(buffer=nl.psum), engine=isa.engine.gpsimd)


def test_shapes_must_fit() -> None:
    with pytest.raises(Violation, match="does not fit"):
        isa.tensor_copy(tile((128, 8)), tile((128, 7)))
    with pytest.raises(Violation, match="does not fit"):
        isa.tensor_copy(tile((64, 8)), tile((128, 4)))


@pytest.mark.parametrize(("shape", "dtype"), [((128, 2), nl.float32), ((64, 1), nl.float32), ((128, 1), nl.bfloat16)])
def test_an_operand_is_a_number_or_one_float32_a_partition(shape, dtype) -> None:
    with pytest.raises(Violation, match=r"float32 of \(128, 1\)"):
        isa.tensor_scalar(tile(), tile(), nl.add, tile(shape, dtype))


def test_two_operands_in_psum_are_refused() -> None:
    with pytest.raises(Violation, match="at most one input lies in PSUM"):
        isa.tensor_tensor(tile(), tile(buffer=nl.psum), tile(buffer=nl.psum), nl.add)


def test_one_engine_halves_its_time_on_16_bits() -> None:
    with running(Machine(computing=False)) as core:
        for dtype in (nl.float32, nl.bfloat16):
            x = tile((128, 1024), dtype)
            isa.activation(x, nl.copy, x)
            isa.tensor_copy(x, x)
        took = [e.end - e.begin for e in core.events]
    assert [round(t * 1.2) for t in took] == [1024 + 60, 1024 + 60, 512 + 60, 512 + 60]

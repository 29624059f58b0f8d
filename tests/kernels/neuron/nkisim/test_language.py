"""Registers, loops and memories of the language."""

import numpy as np
import pytest

from reverie.kernels.neuron.nkisim import language as nl
from reverie.kernels.neuron.nkisim.machine import Machine, running
from reverie.kernels.neuron.nkisim.tensor import NkiTensor, Violation


def test_a_loop_gives_registers_that_only_address() -> None:
    seen = []
    nl.fori_loop(0, 6, lambda i: seen.append(int(i * 2 + 1)), step=2)
    assert seen == [1, 5, 9]
    with pytest.raises(Violation, match="branch"):
        nl.fori_loop(0, 1, lambda i: i and None)
    with pytest.raises(Violation, match="scalar_offset"):
        range(10)[nl.VirtualRegister(3)]


def test_memory_in_hbm_is_poisoned_and_other_memories_do_not_exist() -> None:
    with running(Machine()):
        assert np.isnan(nl.ndarray((3,), nl.float32, buffer=nl.shared_hbm).array).all()
        with pytest.raises(Violation, match="no memory cache"):
            nl.ndarray((1, 1), nl.float32, buffer="cache")


def test_a_slice_of_a_size() -> None:
    assert nl.ds(3, 4) == slice(3, 7)


def test_one_core_is_number_nought_of_one() -> None:
    with running(Machine()):
        assert (nl.program_id(), nl.num_programs()) == (0, 1)


def test_a_pair_of_cores_shares_what_is_off_chip() -> None:
    shared: dict[str, NkiTensor] = {}
    seen = []
    for core in range(2):
        with running(Machine(core=core, shared=shared)):
            assert (nl.program_id(), nl.num_programs()) == (core, 2)
            seen.append(nl.ndarray((2, 4), nl.float32, buffer=nl.shared_hbm, name="x"))
            own = nl.ndarray((2, 4), nl.float32, buffer=nl.private_hbm, name="y")
            assert own is not seen[-1]
    assert seen[0] is seen[1]

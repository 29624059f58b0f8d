"""The bus, and the order in which instructions of two models are laid between one another; single instructions: test_machine.py."""

from itertools import pairwise

import nki.isa as isa
import nki.language as nl
import numpy as np
import pytest

from reverie.kernels.neuron.constants import values
from reverie.kernels.neuron.marks import mark
from reverie.kernels.neuron.nkisim import shim
from reverie.kernels.neuron.nkisim.clock import Bus, Clock, Event, Issued, merged
from reverie.kernels.neuron.nkisim.machine import Machine

C = values()


def test_the_bus_fills_gaps() -> None:
    bus = Bus()
    assert bus.place(100, 50) == 100
    assert bus.place(0, 60) == 0
    assert bus.place(0, 100) == 110  # 60 to 100, then 150 to 210: as if it began at 110


def chain(name: str, at: int, engines: list[str]) -> None:
    """Instructions of which each waits for the one before."""
    mark(name, "op")
    x = nl.ndarray((128, 256), nl.float32, buffer=nl.sbuf, name=name, address=(0, at))
    isa.memset(x, 0.0)
    for engine in engines:
        isa.tensor_copy(x, x, engine=isa.engine(engine))


def traced(*chains: tuple[str, int, list[str]]) -> Machine:
    def kernel(_):
        for each in chains:
            chain(*each)

    return shim.run(kernel, {"_": np.zeros((1, 1), np.float32)}, Machine(computing=False))[1]


def placed(issued: list[Issued]) -> list[Event]:
    clock = Clock(C)
    return [clock.place(issued[number]) for number in merged(issued, C)]


A = ("a", 0, ["vector", "scalar"] * 8)
B = ("b", 4096, ["scalar", "vector"] * 5)


def ends(events: list[Event]) -> float:
    return max(event.end for event in events)


def test_one_model_keeps_the_programs_times() -> None:
    machine = traced(A)
    assert placed(machine.issued) == machine.events


def test_two_models_are_merged_and_each_keeps_its_order() -> None:
    machine = traced(A, B)
    events = placed(machine.issued)
    for model in "ab":
        mine = [[(e.engine, e.name) for e in each if e.label == f"{model}/op"] for each in (events, machine.events)]
        assert mine[0] == mine[1]
    assert ends(events) < 0.8 * ends(machine.events)
    assert ends(events) >= max(ends(traced(A).events), ends(traced(B).events))


def test_an_engine_does_one_thing_at_a_time() -> None:
    events = sorted(placed(traced(A, B).issued), key=lambda e: (e.engine, e.begin))
    for one, two in pairwise(events):
        assert one.engine != two.engine or two.begin >= one.end


def test_models_that_share_memory_cannot_be_merged() -> None:
    with pytest.raises(ValueError, match="a and b both write bytes 512 to 1024 of sbuf"):
        merged(traced(A, ("b", 512, ["vector"])).issued, C)


def test_a_tensor_off_chip_that_one_writes_and_another_reads_is_refused() -> None:
    def kernel(x):
        mark("a", "op")
        tile = nl.ndarray((4, 4), nl.float32, buffer=nl.sbuf, address=(0, 0))
        isa.memset(tile, 0.0)
        isa.dma_copy(x, tile)
        mark("b", "op")
        isa.dma_copy(nl.ndarray((4, 4), nl.float32, buffer=nl.sbuf, address=(0, 4096)), x)

    issued: list[Issued] = shim.run(kernel, {"x": np.zeros((4, 4), np.float32)}, Machine())[1].issued
    with pytest.raises(ValueError, match="models a, b share a tensor"):
        merged(issued, C)

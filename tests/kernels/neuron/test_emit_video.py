"""Every operator of the video model, emitted and run on the simulator, against the reference."""

import inspect
from dataclasses import replace

import numpy as np
import pytest
from rig.cases import CASES, Bench
from rig.neuron import compiled

from reverie.kernels import reference
from reverie.kernels.neuron import tiles
from reverie.kernels.neuron.constants import values
from reverie.kernels.neuron.emit import Kernel, kernel
from reverie.kernels.neuron.emit_video import Video
from reverie.kernels.neuron.feed import feed, frame
from reverie.kernels.neuron.layout import Bytes
from reverie.kernels.neuron.nkisim import shim
from reverie.kernels.neuron.nkisim.machine import Machine
from reverie.kernels.neuron.nkisim.tensor import Violation
from reverie.kernels.program import Program
from reverie.kernels.tasks import Conv, Picture, Ref, Task


def case(name: str, seed: int = 7) -> tuple[Program, Bytes]:
    """A program of one operator, its buffers filled, and what lies where."""
    bench, tasks = CASES[name](seed)
    bench.builder.op("op", tasks)
    program = bench.builder.finish(2)
    return program, filled(program, bench)


def filled(program: Program, bench: Bench) -> Bytes:
    buffers = [
        bench.given[b.name].copy() if b.name in bench.given else np.zeros(b.bytes, np.uint8) for b in program.buffers
    ]

    def get(ref: Ref, dtype, count: int):
        return buffers[ref.buffer][ref.offset : ref.offset + count * np.dtype(dtype).itemsize].view(dtype)

    get.buffers = buffers  # type: ignore[attr-defined]
    return get


def outputs(made: Kernel, program: Program, get: Bytes, machine: Machine | None = None) -> dict[str, np.ndarray]:
    given, _ = shim.run(compiled(made), feed(made, (program, get)), machine)
    return dict(zip(made.outputs, given, strict=True))


def want(program: Program, get: Bytes, ref: Ref, size: int) -> np.ndarray:
    reference.launch(program, 0, get.buffers)  # type: ignore[attr-defined]
    return get(ref, np.uint8, size)


def shown(made: dict[str, np.ndarray], task: Task) -> np.ndarray:
    array = made["shown"]
    return frame(array, 12, 48).reshape(-1) if isinstance(task, Picture) else array.T.reshape(-1)


@pytest.mark.parametrize("name", [name for name in CASES if "3x3" in name])
def test_shifted_matmuls_give_the_bytes_of_packed_taps(name: str) -> None:
    """Packed taps are compared with the reference in test_reference.py."""
    program, get = case(name)
    made = [
        shown(outputs(kernel([Video(program, 0, get, pack=pack).build()]), program, get), program.nodes[0].task)
        for pack in (False, True)
    ]
    np.testing.assert_array_equal(*made)
    assert made[0].std() > 5


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("accumulate=number > 0", "accumulate=number > 1"),  # a tap is lost
        ("BANK * (bank % 4)", "BANK * (bank % 4) + 2040"),  # two banks
        ("c + tap % 3 : d + tap % 3", "c : d"),  # the wrong column
    ],
)
def test_a_broken_tile_is_noticed(before: str, after: str) -> None:
    source = inspect.getsource(tiles)
    assert before in source
    exec(compile(source.replace(before, after), "tiles", "exec"), tiles.__dict__)
    try:
        program, get = case("conv 3x3")
        made = kernel([Video(program, 0, get, pack=False).build()])
        task = program.nodes[0].task
        with pytest.raises((Violation, AssertionError)):
            got = shown(outputs(made, program, get), task)
            np.testing.assert_array_equal(got, want(program, get, task.y, got.size))  # type: ignore[attr-defined]
    finally:
        exec(compile(source, tiles.__file__, "exec"), tiles.__dict__)


def test_capacity_off_by_one_is_noticed() -> None:
    program, get = case("conv 1x1")
    made = kernel([Video(program, 0, get).build()])
    peak = Machine()
    outputs(made, program, get, peak)
    enough = Machine(values(memory__sbuf_usable_bytes=peak.peak["sbuf"]))
    outputs(made, program, get, enough)
    with pytest.raises(Violation, match="of sbuf, which has 128"):
        outputs(made, program, get, Machine(values(memory__sbuf_usable_bytes=peak.peak["sbuf"] - 1)))


def test_a_row_that_does_not_fit_is_refused_with_the_numbers() -> None:
    program, get = case("conv 3x3")
    plan = Video(program, 0, get)
    task = program.nodes[0].task
    assert isinstance(task, Conv)
    plan.fetch("op", 0, np.zeros((128, 1)), 0)
    with pytest.raises(ValueError, match=r"op: a row of 90000 needs \d+ bytes, 0 are left"):
        plan.rows("op", replace(task, width=90_000), ("x", "None", "None", "y", "w", "v"), 6, (0, 64), 0)


def test_what_nobody_wrote_is_refused() -> None:
    program, get = case("conv 3x3")
    task = program.nodes[0].task
    with pytest.raises(ValueError, match="read before it is written"):
        Video(program, 0, get).source(task.y, 1, 1)  # type: ignore[attr-defined]


def test_without_arithmetic_the_clock_says_the_same() -> None:
    program, get = case("conv 2x2")
    made = kernel([Video(program, 0, get).build()])
    ends = []
    for computing in (True, False):
        machine = Machine(computing=computing)
        outputs(made, program, get, machine)
        ends.append(max(event.end for event in machine.events))
    assert ends[0] == ends[1]

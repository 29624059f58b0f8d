"""nvcc's own PTX, emulated with all its lanes: the reference's bits, tensor cores and shuffles included."""

import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rig.cases import CASES, Bench, attention, heads
from rig.programs import buffers, dice, draft, left
from rig.ptx import Memory, Text, launch, parse

from reverie.kernels import reference
from reverie.kernels.cuda import compiler
from reverie.kernels.machine import flat, memory
from reverie.kernels.program import Program
from reverie.kernels.tasks import Task

pytestmark = [
    pytest.mark.skipif(compiler.nvcc() is None, reason="nvcc is not on the PATH"), pytest.mark.timeout(600)
]  # fmt: skip
THREADS, SCRATCH = 64, 1 << 19  # two warps a block


def last(case: tuple[Bench, list[Task]]) -> tuple[Bench, list[Task]]:
    """Of two tasks the one with the few tokens that are left."""
    return case[0], case[1][1:]


TASKS = {
    name: CASES[name] for name in (
        "conv 3x3, residual and active", "conv 3x3, few outs", "conv 1x1, shuffled, few outs, residual", "modulate", "picture",
        "project 2, gated, residual", "recollect", "pick", "embed", "unshuffle",
    )
} | {"heads": lambda seed: last(heads(seed, 70)), "attention": lambda seed: last(attention(seed, 44))}  # fmt: skip


@pytest.fixture(scope="module")
def text(ptx: Path) -> Text:
    return parse(ptx.read_text())


def run(text: Text, program: Program, arrays: list[np.ndarray], epochs: int = 1) -> list[np.ndarray]:
    """What a launch of each epoch leaves in the buffers."""
    form, blocks = flat(program), len(program.queues[0])
    device = Memory(sum(a.nbytes + 512 for a in arrays) + blocks * THREADS // 32 * SCRATCH + (1 << 20))
    places = [device.put(np.concatenate((a, np.zeros(128, np.uint8)))) for a in arrays]
    queues = [sorted(n for model in program.queues for n in model[block]) for block in range(blocks)]
    starts = np.cumsum([0, *(len(queue) for queue in queues)]).astype(np.int32)
    records = np.frombuffer(form.records, np.uint8)
    fixed = [form.nodes, form.waits, records, np.array([n for q in queues for n in q], np.int32), starts]
    where = [device.put(a) for a in fixed]
    counting = device.put(np.zeros(len(program.models), np.uint32))
    rest = [np.array(places, np.uint64), np.zeros(len(program.counters), np.uint32), np.zeros(1, np.uint32)]
    where += [
        counting,
        *(device.put(a) for a in rest),
        device.put(np.zeros(blocks * THREADS // 32 * SCRATCH, np.uint8)),
    ]
    for epoch in range(1, epochs + 1):
        device.bytes[counting : counting + 4 * len(program.models)].view(np.uint32)[:] = epoch
        launch(text, device, struct.pack("<11Q", *where, SCRATCH), blocks, THREADS)
    return [device.bytes[at : at + a.nbytes] for at, a in zip(places, arrays, strict=True)]


@pytest.mark.parametrize("name", TASKS)
def test_a_task_gives_the_bits_of_the_reference(text: Text, name: str) -> None:
    bench, tasks = TASKS[name](3)
    bench.builder.op("op", tasks)
    program = bench.builder.finish(2)
    after = [bench.given[b.name].copy() if b.name in bench.given else memory(b.bytes) for b in program.buffers]
    found = run(text, program, [array.copy() for array in after])
    reference.launch(program, 0, after)
    for buffer, got, want in zip(program.buffers, found, after, strict=True):
        np.testing.assert_array_equal(got, want, err_msg=buffer.name)


def test_blocks_wait_for_each_other_over_epochs(text: Text) -> None:
    program, given = draft(dice(5), 3)
    found = run(text, program, buffers(program, given), 2)
    for buffer, got, want in zip(program.buffers, found, left(program, given, 2), strict=True):
        np.testing.assert_array_equal(got, want, err_msg=buffer.name)


def test_lanes_that_meet_the_wrong_ones_are_noticed(text: Text) -> None:
    lines = [replace(line, name=line.name.replace("bfly", "idx")) for line in text.lines]
    with pytest.raises(AssertionError):
        test_a_task_gives_the_bits_of_the_reference(replace(text, lines=lines), "modulate")

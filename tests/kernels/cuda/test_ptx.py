"""nvcc's own PTX, emulated with all its lanes: the reference's bits, tensor cores and shuffles included.

What single instructions do was worked out by hand from the figures of the PTX ISA.
"""

import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rig.cases import CASES, Bench, attention, heads, recollect
from rig.neuron import llm
from rig.programs import buffers, dice, draft, left
from rig.ptx import POISON, Memory, Warp, launch
from rig.ptx_text import Text, parse
from rig.tolerance import relative_error

from reverie.kernels import reference
from reverie.kernels.cuda import compiler
from reverie.kernels.machine import flat, memory
from reverie.kernels.program import Program, join
from reverie.kernels.tasks import Recollect, Task
from reverie.models.checkpoint import Shape
from reverie.models.llm_lowering import CHUNK

pytestmark = pytest.mark.timeout(600)
with_nvcc = pytest.mark.skipif(compiler.nvcc() is None, reason="nvcc is not on the PATH")
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


@with_nvcc
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


def first_products_only(text: Text) -> Text:
    """Without the products of what bfloat16 leaves: two of three."""
    number, lines = 0, []
    for line in text.lines:
        number += ".bf16." in line.name
        lines.append(replace(line, name="nanosleep") if ".bf16." in line.name and number % 3 != 1 else line)
    return replace(text, lines=lines)


@with_nvcc
def test_a_prompts_attention_keeps_sixteen_bits(text: Text) -> None:
    """Nine positions are read, of which the cache has room for six: eighteen rows of queries.  With the high parts alone
    it would be eight bits."""
    bench, tasks = recollect(3, count=9, position=10, context=16)
    bench.builder.op("op", tasks[:1])
    program = bench.builder.finish(1)
    after = [bench.given[b.name].copy() if b.name in bench.given else memory(b.bytes) for b in program.buffers]
    task, before = program.nodes[0].task, [array.copy() for array in after]
    assert isinstance(task, Recollect)
    reference.launch(program, 0, after)
    errors = []
    for each in (text, first_products_only(text)):
        found = run(each, program, [array.copy() for array in before])
        np.testing.assert_array_equal(found[task.cache.buffer], after[task.cache.buffer])
        got, want = (arrays[task.y.buffer].view(np.float32) for arrays in (found, after))
        errors.append(relative_error(got, want))
    assert errors[0] < 2**-16 < 2**-12 < errors[1] < 2**-6


TOY = Shape(layers=2, width=64, heads=1, kv_heads=1, mlp=64, vocabulary=64, rope_base=1e4, norm_epsilon=1e-6)


@with_nvcc
def test_three_models_in_one_launch_leave_what_the_reference_leaves(text: Text) -> None:
    """A layer of the picture, a token of an LLM, and another's reading of sixteen: only that one has bfloat16."""
    bench, tasks = CASES["conv 3x3, few outs"](3)
    bench.builder.op("op", tasks)
    one, reader, picture = llm(replace(TOY, layers=1)), llm(TOY, seed=1, count=CHUNK), bench.builder.finish(2)
    named = tuple(replace(b, name=f"reader.{b.name}") for b in reader.program.buffers)
    programs = [picture, one.program, replace(reader.program, buffers=named)]
    filled = {b.name: bench.given.get(b.name, memory(b.bytes)) for b in picture.buffers}
    for program, arrays in zip(programs[1:], (one.buffers, reader.buffers), strict=True):
        filled |= {b.name: array for b, array in zip(program.buffers, arrays, strict=True)}
    program = join(programs)
    after = [filled[b.name].copy() for b in program.buffers]
    found = run(text, program, [array.copy() for array in after])
    for model in range(len(program.models)):
        reference.launch(program, model, after)
    for buffer, got, want in zip(program.buffers, found, after, strict=True):
        if buffer.name == "reader.llm.cache":
            assert want.any() and relative_error(got.view(np.float32), want.view(np.float32)) < 2**-14
        elif not buffer.name.startswith(("arena", "reader.arena")):
            np.testing.assert_array_equal(got, want, err_msg=buffer.name)


@with_nvcc
def test_blocks_wait_for_each_other_over_epochs(text: Text) -> None:
    program, given = draft(dice(5), 3)
    found = run(text, program, buffers(program, given), 2)
    for buffer, got, want in zip(program.buffers, found, left(program, given, 2), strict=True):
        np.testing.assert_array_equal(got, want, err_msg=buffer.name)


@with_nvcc
def test_lanes_that_meet_the_wrong_ones_are_noticed(text: Text) -> None:
    lines = [replace(line, name=line.name.replace("bfly", "idx")) for line in text.lines]
    with pytest.raises(AssertionError):
        test_a_task_gives_the_bits_of_the_reference(replace(text, lines=lines), "modulate")


@with_nvcc
def test_a_copy_that_is_not_waited_for_is_noticed(text: Text) -> None:
    lines = [replace(line, operands=["2"]) if line.name == "cp.async.wait_group" else line for line in text.lines]
    with pytest.raises(AssertionError):
        test_a_task_gives_the_bits_of_the_reference(replace(text, lines=lines), "project 2, gated, residual")


LANE = np.arange(32)


def alone(source: str, memory: Memory | None = None, shared: int = 1024) -> Warp:
    """One warp before some instructions."""
    text = parse(f".visible .entry k() {{\n{source}\nret;\n}}")
    return Warp(text, memory or Memory(1024), b"", 0, 0, 32, np.full(shared, POISON, np.uint8))


def test_copies_arrive_when_their_group_is_waited_for() -> None:
    memory = Memory(2048)
    first, second = memory.put(np.arange(32, dtype=np.uint8)), memory.put(np.arange(100, 132, dtype=np.uint8))
    asked = "cp.async.cg.shared.global [%r1+{to}], [%rd{n}], 16;\ncp.async.commit_group;\n"
    warp = alone(
        f"@%p1 {asked.format(to=0, n=1)}@%p1 {asked.format(to=64, n=2)}cp.async.wait_group 1;\n"
        "mov.u32 %r2, 7;\ncp.async.wait_group 0;", memory,
    )  # fmt: skip
    on = np.isin(LANE, (0, 5))
    warp.set("%p1", on, on)
    for name, value in {"%rd1": first, "%rd2": second}.items():
        warp.set(name, np.where(LANE == 5, value + 16, value).astype(np.uint64), on)
    warp.set("%r1", np.where(LANE == 5, 32, 0).astype(np.uint32), on)
    seen = []
    for _ in range(7):
        pc = int(warp.pc[0])
        line = warp.text.lines[pc]
        warp.pc[:] = pc + 1
        warp.execute(line, on if line.guard else np.ones(32, bool))
        seen.append([int(warp.shared[at]) for at in (0, 15, 32, 64, 96)])
    nothing = [POISON] * 5
    assert seen == [nothing] * 4 + [[0, 15, 16, POISON, POISON]] * 2 + [[0, 15, 16, 100, 116]]


def test_a_copy_of_sixteen_bytes_begins_at_a_multiple_of_them() -> None:
    warp = alone("cp.async.cg.shared.global [%r1+8], [%rd1], 16;")
    with pytest.raises(RuntimeError, match="no multiple of sixteen"):
        warp.run()


def test_a_matrix_is_loaded_row_by_row() -> None:
    """Row r of matrix m lies at the address of lane 8 m + r; of it lane 4 r + w gets word w."""
    warp = alone("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%r1,%r2,%r3,%r4}, [%r5];")
    warp.shared[:512] = np.arange(128, dtype=np.uint32).view(np.uint8)
    warp.set("%r5", (16 * LANE[::-1]).astype(np.uint32), np.ones(32, bool))  # the last row first
    warp.run()
    assert [int(warp.registers[f"%r{n}"][lane]) for n, lane in ((1, 0), (1, 31), (2, 4), (4, 31), (3, 6))] == [
        4 * 31, 4 * 24 + 3, 4 * 22, 3, 4 * 14 + 2,
    ]  # fmt: skip


def test_bytes_are_multiplied_where_the_lanes_have_them() -> None:
    """A[3][5] = 200 (lane 13, byte 1), A[9][21] = 3 (lane 5, fourth register), B[5][2] = -2, B[21][7] = 4; C starts at 1."""
    warp = alone(
        "mma.sync.aligned.m16n8k32.row.col.s32.u8.s8.s32 {%r0,%r1,%r2,%r3}, {%r4,%r5,%r6,%r7}, {%r8,%r9}, {%r0,%r1,%r2,%r3};"
    )
    everyone = np.ones(32, bool)
    for name, lane, word in (("%r4", 13, 200 << 8), ("%r7", 5, 3 << 8), ("%r8", 9, 254 << 8), ("%r9", 29, 4 << 8)):
        warp.set(name, np.where(lane == LANE, word, 0).astype(np.uint32), everyone)
    for number in range(4):
        warp.set(f"%r{number}", np.ones(32, np.uint32), everyone)
    warp.run()
    sums = {
        (n, lane): int(np.int32(warp.registers[f"%r{n}"].astype(np.uint32).view(np.int32)[lane]))
        for n in range(4)
        for lane in LANE
    }
    assert {place: value for place, value in sums.items() if value != 1} == {(0, 13): -399, (3, 7): 13}


def test_bfloat16_is_multiplied_where_the_lanes_have_it() -> None:
    """A[3][5] = 1.5 (lane 14, second half), A[9][12] = -2 (lane 6, fourth register), B[5][2] = 3, B[12][7] = 0.25; C is 1."""
    warp = alone(
        "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%f0,%f1,%f2,%f3}, {%r4,%r5,%r6,%r7}, {%r8,%r9}, {%f0,%f1,%f2,%f3};"
    )
    everyone = np.ones(32, bool)
    for name, lane, word in (
        ("%r4", 14, 0x3FC0 << 16), ("%r7", 6, 0xC000), ("%r8", 10, 0x4040 << 16), ("%r9", 30, 0x3E80),
    ):  # fmt: skip
        warp.set(name, np.where(lane == LANE, word, 0).astype(np.uint32), everyone)
    for number in range(4):
        warp.set(f"%f{number}", np.ones(32, np.float32), everyone)
    warp.run()
    sums = {(n, lane): float(warp.get(f"%f{n}", np.dtype("f4"))[lane]) for n in range(4) for lane in LANE}
    assert {place: value for place, value in sums.items() if value != 1} == {(0, 13): 5.5, (3, 7): 0.5}


def test_two_floats_become_bfloat16_to_the_nearest_even() -> None:
    """1 + 2^-8 lies between 1 and 1 + 2^-7, and 1 is even; 1 + 3 * 2^-8 goes up."""
    warp = alone("cvt.rn.bf16x2.f32 %r1, %f1, %f2;")
    for name, value in (("%f1", 1 + 2**-8), ("%f2", 1 + 3 * 2**-8)):
        warp.set(name, np.full(32, value, np.float32), np.ones(32, bool))
    warp.run()
    assert int(warp.registers["%r1"][0]) == 0x3F80 << 16 | 0x3F82

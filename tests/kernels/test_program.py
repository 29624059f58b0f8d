"""Programs: arena, dependencies, counters, queues."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rig.programs import Pick, dice, draft, kinds, left, needs, waits

from reverie.kernels.program import ALIGN, Builder, Program, Role, join, pack
from reverie.kernels.tasks import Modulate, Ref, Task
from reverie.kernels.validate import validate


def modulate(b: Builder, vector: Ref, x: Ref, y: Ref, begin: int = 0, end: int = 4) -> Task:
    return Modulate(x=x, gain=vector, shift=vector, y=y, width=64, x_zero=0, y_zero=0, begin=begin, end=end)


def chain(steps: int) -> Program:
    """`steps` temporaries, each made of the one before."""
    b = Builder("m")
    vector, x = b.buffer("vector", 256, Role.CONSTANT), b.buffer("frame", 256, Role.INPUT)
    for n in range(steps):
        y = b.buffer(f"{n}", 256)
        b.op(f"{n}", [modulate(b, vector, x, y, 0, 2), modulate(b, vector, x, y, 2, 4)])
        x = y
    return b.finish(2)


@st.composite
def picks(draw: st.DrawFn) -> Pick:
    return lambda n: draw(st.integers(0, n - 1))


@given(picks(), st.integers(1, 3))
@settings(max_examples=150, deadline=None)
def test_what_the_builder_makes_is_valid(pick: Pick, workers: int) -> None:
    program, _ = draft(pick, workers)
    validate(program)


@given(
    st.dictionaries(st.integers(), st.tuples(st.integers(0, 9), st.integers(0, 9), st.integers(1, 300)), max_size=12)
)
def test_what_lives_at_once_never_overlaps(lives: dict[int, tuple[int, int, int]]) -> None:
    lives = {key: (min(a, b), max(a, b), size) for key, (a, b, size) in lives.items()}
    offsets = pack(lives)
    for one, (first, last, size) in lives.items():
        for two, (begin, end, other) in lives.items():
            if one != two and first <= end and begin <= last:
                assert offsets[one] + size <= offsets[two] or offsets[two] + other <= offsets[one]


def test_the_arena_is_used_again() -> None:
    arena = lambda steps: chain(steps).buffers[-1].bytes
    assert arena(8) == arena(2) < 8 * (256 + ALIGN)


def test_a_task_waits_for_what_it_reads_and_for_readers_of_what_it_writes() -> None:
    program = chain(3)
    why = {kind for n, i in waits(program) for kind in kinds(program, n, i)}
    assert {("RAW", "single"), ("WAR", "single")} <= why
    assert needs(program, program.nodes[2]) == [0]  # rows of its own only


def test_what_is_implied_is_not_waited_for() -> None:
    b = Builder("m")
    vector, x = b.buffer("vector", 256, Role.CONSTANT), b.buffer("frame", 256, Role.INPUT)
    one, two, three = (b.buffer(f"{n}", 256) for n in range(3))
    b.op("one", [modulate(b, vector, x, one)])
    b.op("two", [modulate(b, vector, one, two)])
    b.op("three", [modulate(b, vector, two, three)])
    b.op("four", [modulate(b, vector, three, one)])  # WAW with the first, WAR with the second
    program = b.finish(1)
    assert needs(program, program.nodes[3]) == [2]


def test_tasks_with_the_same_listeners_share_a_counter() -> None:
    b = Builder("m")
    vector, x, y = b.buffer("vector", 256, Role.CONSTANT), b.buffer("frame", 256, Role.INPUT), b.buffer("y", 256)
    z = b.buffer("z", 256, Role.OUTPUT)
    b.op("one", [modulate(b, vector, x, y, n, n + 1) for n in range(4)])
    b.op("two", [modulate(b, vector, y, z)])
    program = b.finish(2)
    assert [node.waits for node in program.nodes] == [(), (), (), (), ((program.nodes[0].signal, 4),)]
    assert program.queues == (((0, 1, 4), (2, 3)),)


def test_a_buffer_that_nobody_uses_takes_no_room() -> None:
    b = Builder("m")
    b.buffer("unused", 1 << 20)
    vector, x = b.buffer("vector", 256, Role.CONSTANT), b.buffer("frame", 256, Role.INPUT)
    b.op("one", [modulate(b, vector, x, b.buffer("y", 256, Role.OUTPUT))])
    assert b.finish(1).buffers[-1].bytes == ALIGN


def test_sizes_are_whole_lines_and_can_be_set_later() -> None:
    b = Builder("m")
    ref = b.buffer("late", 0, Role.CONSTANT)
    b.resize(ref, 65)
    assert b.buffers[ref.buffer].bytes == 128 and b.buffers[ref.buffer].role is Role.CONSTANT


def test_joined_models_keep_their_own_results() -> None:
    (one, given_one), (two, given_two) = draft(dice(1), 2, "one"), draft(dice(2), 2, "two")
    both, contents = join([one, two]), given_one | given_two
    validate(both)
    together = dict(zip([b.name for b in both.buffers], left(both, contents, 2), strict=True))
    for program, mine in ((one, given_one), (two, given_two)):
        for buffer, array in zip(program.buffers, left(program, mine, 2), strict=True):
            np.testing.assert_array_equal(array, together[buffer.name])
    assert both.models == ("one", "two")
    assert both.work(1) == two.work(0) and both.work(0) == one.work(0)


def test_joined_models_share_buffers_of_the_same_name() -> None:
    one, two = chain(2), replace(chain(3), models=("n",))
    assert [b.name for b in join([one, one]).buffers].count("vector") == 1
    smaller = replace(two, buffers=(replace(two.buffers[0], bytes=64), *two.buffers[1:]))
    with pytest.raises(ValueError, match="disagree about buffer vector"):
        join([one, smaller])


def test_buffers_are_found_by_name() -> None:
    program = chain(1)
    assert program.buffers[program.find("frame")].role is Role.INPUT
    with pytest.raises(KeyError, match="nothing"):
        program.find("nothing")

"""The validator: whatever is broken in a program is refused, and nothing else."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rig.programs import changed, dice, draft, dropped, kinds, left, lowered, needs, swapped, waits

from reverie.kernels.program import Buffer, Builder, Program, Role, join
from reverie.kernels.tasks import Modulate, Ref, Task
from reverie.kernels.validate import Invalid, validate

DRAFTS = 25


@pytest.fixture(scope="module")
def programs() -> list[Program]:
    return [draft(dice(seed), 2)[0] for seed in range(DRAFTS)]


def pointed(task: Task, buffer: int, offset: int | None = None) -> Iterator[Task]:
    """The task with each place it writes in turn moved elsewhere."""
    written = {at.buffer for at in task.writes()}
    for field in fields(task):
        ref = getattr(task, field.name)
        if isinstance(ref, Ref) and ref.buffer in written:
            yield replace(task, **{field.name: Ref(buffer, ref.offset if offset is None else offset)})


def test_every_kind_of_counter_is_among_the_programs(programs: list[Program]) -> None:
    seen = Counter(kind for p in programs for n, i in waits(p) for kind in kinds(p, n, i))
    for why in ("RAW", "WAR", "WAW"):
        for how in ("single", "shared"):
            assert seen[why, how] > 5


def test_any_threshold_lowered_by_one_is_refused(programs: list[Program]) -> None:
    for program in programs:
        for number, index in waits(program):
            with pytest.raises(Invalid, match=r"waits for \d+ of \d+ producers"):
                validate(lowered(program, number, index))


def test_any_wait_dropped_is_refused(programs: list[Program]) -> None:
    for program in programs:
        for number, index in waits(program):
            with pytest.raises(Invalid, match=r"in no order|nobody wrote"):
                validate(dropped(program, number, index))


def test_two_tasks_against_their_order_in_a_queue_are_refused(programs: list[Program]) -> None:
    swaps = 0
    for program in programs:
        for queue in program.queues[0]:
            for number in queue:
                for earlier in set(needs(program, program.nodes[number])) & set(queue):
                    swaps += 1
                    with pytest.raises(Invalid, match="queues stop at"):
                        validate(swapped(program, earlier, number))
    assert swaps > 50


def test_a_write_outside_its_buffer_is_refused(programs: list[Program]) -> None:
    for program in programs:
        for number, node in enumerate(program.nodes):
            buffer = next(node.task.writes()).buffer
            for offset in (program.buffers[buffer].bytes, -(1 << 20)):
                for task in pointed(node.task, buffer, offset):
                    with pytest.raises(Invalid, match="outside"):
                        validate(changed(program, number, task=task))


def test_a_write_to_what_is_read_only_is_refused(programs: list[Program]) -> None:
    program = programs[0]
    roles = {b.role: i for i, b in enumerate(program.buffers)}
    for role in (Role.CONSTANT, Role.INPUT):
        big = replace(program.buffers[roles[role]], bytes=1 << 20)
        buffers = (*program.buffers[: roles[role]], big, *program.buffers[roles[role] + 1 :])
        for task in pointed(program.nodes[0].task, roles[role]):
            with pytest.raises(Invalid, match=f"which is {role.value}"):
                validate(changed(replace(program, buffers=buffers), 0, task=task))


def test_a_buffer_that_does_not_exist_is_refused(programs: list[Program]) -> None:
    for task in pointed(programs[0].nodes[0].task, len(programs[0].buffers)):
        with pytest.raises(Invalid, match="there is no buffer"):
            validate(changed(programs[0], 0, task=task))


def test_a_buffer_shared_by_two_models_is_refused(programs: list[Program]) -> None:
    """Two models of the same buffers, as if one had been lowered twice."""
    for program in programs[:5]:
        with pytest.raises(Invalid, match="shared by two models"):
            validate(join([program, program]))


def test_reading_what_another_model_writes_is_refused(programs: list[Program]) -> None:
    other, _ = draft(dice(7), 2, "other")
    program = join([programs[0], other])
    validate(program)
    theirs = program.find("other.b3")
    number = next(
        n for n, node in enumerate(program.nodes) if node.model == 0 and type(node.task).__name__ == "Modulate"
    )
    task = replace(program.nodes[number].task, x=Ref(theirs))
    assert any(at.buffer == theirs for n in program.nodes if n.model for at in (*n.task.reads(), *n.task.writes()))
    with pytest.raises(Invalid, match="shared by two models"):
        validate(changed(program, number, task=task))


def slot(writes: Role, reads: Role) -> Program:
    """A model that writes one half of a slot, and one that reads a half; the same half where the roles are the same."""

    def model(name: str, x: str, x_role: Role, y: str, y_role: Role) -> Program:
        b = Builder(name)
        vector = b.buffer(f"{name}.vector", 256, Role.CONSTANT)
        task = Modulate(x=b.buffer(x, 256, x_role), gain=vector, shift=vector, y=b.buffer(y, 256, y_role), width=64,
                        x_zero=0, y_zero=0, begin=0, end=4)  # fmt: skip
        b.op("op", [task])
        return b.finish(2)

    first = model("language", "text", Role.INPUT, f"slot.{writes.value}", writes)
    return join([first, model("video", f"slot.{reads.value}", reads, "shown", Role.OUTPUT)])


def test_models_meet_in_slots_only() -> None:
    """One writes the back while the other reads the front: no other edge between models is there."""
    validate(slot(Role.BACK, Role.FRONT))
    with pytest.raises(Invalid, match=r"slot\.back is shared by two models"):
        validate(slot(Role.BACK, Role.BACK))
    with pytest.raises(Invalid, match=r"writes slot\.front, which is front"):
        validate(slot(Role.FRONT, Role.FRONT))


def test_what_nobody_wrote_is_not_read(programs: list[Program]) -> None:
    """A first task that reads the arena's end, which only later tasks or none have written."""
    for program in programs:
        arena = len(program.buffers) - 1
        whole = (*program.buffers[:-1], Buffer("arena.m", program.buffers[-1].bytes + 4096, Role.ARENA))
        task = replace(program.nodes[0].task, x=Ref(arena, program.buffers[-1].bytes))
        with pytest.raises(Invalid, match="nobody wrote"):
            validate(changed(replace(program, buffers=whole), 0, task=task))


def test_a_circle_is_refused(programs: list[Program]) -> None:
    program = next(p for p in programs if any(node.waits for node in p.nodes))
    later = next(n for n, node in enumerate(program.nodes) if node.waits)
    earlier = needs(program, program.nodes[later])[0]
    counter = program.nodes[later].signal
    threshold = sum(node.signal == counter for node in program.nodes)
    more = (*program.nodes[earlier].waits, (counter, threshold))
    with pytest.raises(Invalid, match="circle"):
        validate(changed(program, earlier, waits=more))


def test_every_task_is_in_one_queue_of_its_model(programs: list[Program]) -> None:
    program = join([programs[0], draft(dice(7), 2, "other")[0]])
    (one, two), theirs = program.queues
    for queues in (((one[1:], two), theirs), (((*one, one[-1]), two), theirs)):
        with pytest.raises(Invalid, match="every task once"):
            validate(replace(program, queues=queues))
    with pytest.raises(Invalid, match="queue of another model"):
        validate(replace(program, queues=(theirs, program.queues[0])))


def test_counters_belong_to_one_model(programs: list[Program]) -> None:
    program = join([programs[0], draft(dice(7), 2, "other")[0]])
    last = len(program.counters) - 1
    for counter, text in ((last, "another model"), (last + 1, "does not exist"), (-1, "does not exist")):
        with pytest.raises(Invalid, match=text):
            validate(changed(program, 0, signal=counter))
    for counter in (last, last + 1, -1):
        with pytest.raises(Invalid, match="not of its model"):
            validate(changed(program, 0, waits=((counter, 1),)))


@given(st.integers(0, 10_000), st.data())
@settings(max_examples=40, deadline=None)
def test_what_is_accepted_gives_one_result_in_any_order(seed: int, data: st.DataObject) -> None:
    """Waits and queues are shuffled at random: either the validator says no, or the order does not matter."""
    program, contents = draft(dice(seed), 2, most=6)
    expected = left(program, contents, 2)
    for _ in range(data.draw(st.integers(1, 2))):
        number = data.draw(st.integers(0, len(program.nodes) - 1))
        counter = data.draw(st.integers(0, len(program.counters) - 1))
        producers = sum(node.signal == counter for node in program.nodes)
        old = list(program.nodes[number].waits)
        new = data.draw(st.sampled_from([[*old, (counter, producers)], old[1:], [(counter, producers), *old[1:]]]))
        program = changed(program, number, waits=tuple(new))
    try:
        validate(program)
    except Invalid:
        return
    for order in range(3):
        for one, two in zip(left(program, contents, 2, seed=order), expected, strict=True):
            np.testing.assert_array_equal(one, two)

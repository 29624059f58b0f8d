"""Workers: every path, order and number of workers gives the bits of the reference; faults are told and survived."""

import gc
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace
from typing import ClassVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rig.programs import U8, Draft, changed, dice, draft, left

from reverie.kernels.machine import Instance, Loaded, Order, Pool, memory, paths
from reverie.kernels.program import Builder, Program, Role, join
from reverie.kernels.tasks import Modulate, Ref, Span, Task
from reverie.kernels.validate import Invalid

EPOCHS = 3


@pytest.fixture(scope="module", params=paths())
def pools(request: pytest.FixtureRequest) -> dict[int, Pool]:
    return {workers: Pool(workers, request.param) for workers in (1, 2, 3)}


@pytest.fixture
def pool() -> Iterator[Pool]:
    yield Pool(2)


def ran(program: Program, contents: dict[str, U8], pool: Pool, order: Order) -> list[U8]:
    """What the workers leave in each buffer."""
    copies = {name: memory(array.nbytes) for name, array in contents.items()}
    for name, array in contents.items():
        copies[name][:] = array
    instance = Instance(Loaded(program), copies)
    for _ in range(EPOCHS):
        pool.launch([(instance, model) for model in range(len(program.models))], order)
    return instance.arrays


def same(one: list[U8], two: list[U8]) -> None:
    for mine, theirs in zip(one, two, strict=True):
        np.testing.assert_array_equal(mine, theirs)


@given(seed=st.integers(0, 1 << 30), data=st.data())
@settings(max_examples=40, deadline=None)
def test_every_order_gives_the_bits_of_the_reference(pools: dict[int, Pool], seed: int, data: st.DataObject) -> None:
    workers = data.draw(st.sampled_from(sorted(pools)))
    program, contents = draft(dice(seed), workers)
    if data.draw(st.booleans()):
        other, more = draft(dice(seed + 1), workers, "other")
        program, contents = join([program, other]), contents | more
    expected = left(program, contents, EPOCHS)
    same(left(program, contents, EPOCHS, seed=seed), expected)
    for order in Order:
        same(ran(program, contents, pools[workers], order), expected)


def test_sessions_in_one_launch_do_not_meet(pool: Pool) -> None:
    program, contents = draft(dice(3), 2, most=30)
    loaded, alone = Loaded(program), left(program, contents, EPOCHS)
    sessions = [Instance(loaded, contents) for _ in range(4)]
    for order in Order:
        for session in sessions:
            session.arrays = [contents.get(b.name, memory(b.bytes)) for b in program.buffers]
            session.place()
        for _ in range(EPOCHS):
            pool.launch([(session, 0) for session in sessions], order)
        for session in sessions:
            same(session.arrays, alone)


def test_models_advance_at_their_own_rates(pool: Pool) -> None:
    (one, first), (two, second) = draft(dice(1), 2, "one"), draft(dice(2), 2, "two")
    program, contents = join([one, two]), first | second
    instance = Instance(Loaded(program), contents)
    for n in range(6):
        pool.launch([(instance, 0), (instance, 1)] if n % 3 == 0 else [(instance, 0)])
    for model, given_, epochs in ((one, first, 6), (two, second, 2)):
        for buffer, array in zip(model.buffers, left(model, given_, epochs), strict=True):
            np.testing.assert_array_equal(instance[buffer.name], array)


def test_operators_of_the_same_name_run_unfused_in_their_order(pool: Pool) -> None:
    model = Draft(dice(5), "m")
    for number in range(12):
        model.op(number)
    model.b.ops = [(str(n % 2), tasks) for n, (_, tasks) in enumerate(model.b.ops)]
    program = model.b.finish(2)
    same(ran(program, model.given, pool, Order.UNFUSED), left(program, model.given, EPOCHS))


def test_a_queue_against_the_operators_cannot_run_unfused(pool: Pool) -> None:
    """Two operators of different inputs may change places: legal for workers, but not one operator at a time."""
    b = Builder("m")
    vector, x = b.buffer("vector", 256, Role.CONSTANT), b.buffer("frame", 256, Role.INPUT)
    for n in range(2):
        y = b.buffer(f"{n}", 256, Role.OUTPUT)
        b.op(f"{n}", [Modulate(x=x, gain=vector, shift=vector, y=y, width=64, x_zero=0, y_zero=0, begin=0, end=4)])
    program = replace(b.finish(1), queues=(((1, 0),),))
    instance = Instance(Loaded(program), {"vector": memory(256)})
    one = Pool(1)
    one.launch([(instance, 0)], Order.FIXED)
    with pytest.raises(ValueError, match="cannot run unfused"):
        one.launch([(instance, 0)], Order.UNFUSED)


def test_every_task_is_traced_once(pool: Pool) -> None:
    program, contents = draft(dice(4), 2, most=30)
    instance = Instance(Loaded(program), contents)
    for order in Order:
        pool.launch([(instance, 0)], order, traced=True)
        events = pool.events()
        assert sorted(node for _, _, node, _, _ in events) == list(range(len(program.nodes)))
        assert all(begin <= end for *_, begin, end in events)
        assert {worker for worker, *_ in events} <= {0, 1}
        ended = {node: end for _, _, node, _, end in events}
        counter = {n: node.signal for n, node in enumerate(program.nodes)}
        for _, _, node, begin, _ in events:
            for heard, _ in program.nodes[node].waits:
                assert all(ended[n] <= begin for n in counter if counter[n] == heard) or order is not Order.FIXED
    pool.launch([(instance, 0)])
    assert pool.events() == []


def test_pinned_workers_do_the_same() -> None:
    program, contents = draft(dice(6), 2)
    same(ran(program, contents, Pool(2, pin=True), Order.STEALING), left(program, contents, EPOCHS))


def test_pools_come_and_go() -> None:
    program, contents = draft(dice(6), 2)
    expected = left(program, contents, EPOCHS)
    before = threading.active_count()
    for _ in range(20):
        same(ran(program, contents, Pool(2), Order.STEALING), expected)
    assert threading.active_count() == before


# --- faults ---


@dataclass(frozen=True, slots=True, kw_only=True)
class Strange(Modulate):
    opcode: ClassVar[int] = 99


@dataclass(frozen=True, slots=True, kw_only=True)
class Zero(Modulate):
    opcode: ClassVar[int] = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Endless(Task):
    """A Modulate of no columns and very many rows: it touches nothing for seconds."""

    opcode: ClassVar[int] = Modulate.opcode
    task: Modulate

    def reads(self) -> Iterator[Span]:
        return iter(())

    writes = reads

    def record(self) -> bytes:
        return self.task.record()


def works(pool: Pool) -> None:
    program, contents = draft(dice(8), 2)
    same(ran(program, contents, pool, Order.STEALING), left(program, contents, EPOCHS))


@pytest.mark.parametrize("order", Order)
@pytest.mark.parametrize("kind", [Strange, Zero])
def test_an_unknown_opcode_is_named(pool: Pool, order: Order, kind: type[Modulate]) -> None:
    program, contents = draft(dice(9), 2)
    number = next(n for n, node in enumerate(program.nodes) if isinstance(node.task, Modulate))
    task = program.nodes[number].task
    strange = kind(**{field.name: getattr(task, field.name) for field in fields(task)})
    instance = Instance(Loaded(changed(program, number, task=strange)), contents)
    for _ in range(2):
        with pytest.raises(RuntimeError, match=f"unknown opcode {kind.opcode}$"):
            pool.launch([(instance, 0)], order)
    assert not pool.broken
    works(pool)


@pytest.mark.parametrize("order", [Order.FIXED, Order.STEALING])
def test_a_task_that_never_becomes_ready_ends_in_a_time_out(pool: Pool, order: Order) -> None:
    program, contents = draft(dice(9), 2)
    number = next(n for n, node in enumerate(program.nodes) if node.waits)
    (counter, threshold), *others = program.nodes[number].waits
    broken = changed(program, number, waits=((counter, threshold + 1), *others))
    with pytest.raises(Invalid):
        Loaded(broken)
    instance = Instance(Loaded(broken, checked=True), contents)
    with pytest.raises(RuntimeError, match=r"did not end in 0\.05"):
        pool.launch([(instance, 0)], order, timeout_s=0.05)
    assert not pool.broken
    works(pool)


def test_after_a_time_out_the_instance_starts_from_the_first_epoch(pool: Pool) -> None:
    """The same launch beside one that hangs, then alone: its counters were set back."""
    program, contents = draft(dice(9), 2)
    number = next(n for n, node in enumerate(program.nodes) if node.waits)
    stuck = Instance(Loaded(changed(program, number, waits=((0, 1000),)), checked=True), contents)
    instance = Instance(Loaded(program), contents)
    pool.launch([(instance, 0)])
    with pytest.raises(RuntimeError, match="did not end"):
        pool.launch([(stuck, 0), (instance, 0)], timeout_s=0.05)
    for _ in range(EPOCHS):
        pool.launch([(instance, 0)])


def test_a_worker_that_hangs_breaks_its_pool_and_nothing_else() -> None:
    program, contents = draft(dice(9), 2)
    x = Ref(0)
    nothing = Modulate(x=x, gain=x, shift=x, y=x, width=0, x_zero=0, y_zero=0, begin=0, end=1 << 30)
    instance = Instance(Loaded(changed(program, 0, task=Endless(task=nothing)), checked=True), contents)
    hangs = Pool(2)
    with pytest.raises(RuntimeError, match="did not end"):
        hangs.launch([(instance, 0)], timeout_s=0.01)
    assert hangs.broken
    with pytest.raises(RuntimeError, match="hangs"):
        hangs.launch([(instance, 0)])
    del hangs, instance
    gc.collect()
    works(Pool(2))


def test_a_process_with_a_broken_pool_still_ends() -> None:
    text = (
        "import sys; sys.path.insert(0, sys.argv[1]); sys.path.insert(0, sys.argv[2])\n"
        "import test_machine as t; t.test_a_worker_that_hangs_breaks_its_pool_and_nothing_else(); print('alive')"
    )
    here = __file__.rpartition("/")[0]
    command = [sys.executable, "-c", text, here, here.rpartition("/")[0]]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, "alive\n"), done.stderr


def refused(call: Callable[[], object], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        call()


def test_a_constant_that_is_missing_or_too_small_is_named() -> None:
    program, contents = draft(dice(9), 2)
    loaded = Loaded(program)
    refused(lambda: Instance(loaded, {}), "constant m.gain is missing")
    refused(lambda: Instance(loaded, contents | {"m.gain": memory(64)}), "m.gain has 64 bytes, 512 are needed")
    refused(lambda: Instance(loaded, contents | {"m.gain": memory(1024)[::2]}), "m.gain must be contiguous bytes")
    refused(lambda: Instance(loaded, contents | {"m.gain": np.zeros(512, np.float32)}), "float32")  # type: ignore[dict-item]
    instance = Instance(loaded, contents)
    refused(lambda: instance.__setitem__("m.frame", memory(64)), "m.frame has 64 bytes, 1024 are needed")
    with pytest.raises(KeyError, match="nothing"):
        instance["nothing"]


def test_what_cannot_be_launched_is_refused(pool: Pool) -> None:
    program, contents = draft(dice(9), 2)
    instance = Instance(Loaded(program), contents)
    refused(lambda: pool.launch([(instance, 1)]), "no such model")
    refused(lambda: pool.launch([(instance, -1)]), "no such model")
    refused(lambda: pool.launch([(instance, 0), (instance, 0)]), "once a launch")
    refused(lambda: Pool(3).launch([(instance, 0)]), "other workers")
    assert pool.launch([]) < 10
    works(pool)


def test_pools_that_cannot_be_are_refused() -> None:
    refused(lambda: Pool(2, "abacus"), "'abacus'")
    for workers in (0, -1, 257):
        refused(lambda n=workers: Pool(n), "1 to 256")  # type: ignore[misc]


def test_the_portable_path_is_always_there_and_the_quickest_is_first() -> None:
    assert paths()[-1] == "portable"
    assert Pool(1).path == paths()[0] and Pool(1, "portable").path == "portable"
    assert Pool(3).workers == 3


def test_memory_lies_on_cache_lines() -> None:
    for size in (1, 64, 1000):
        array = memory(size)
        assert array.shape == (size,) and array.ctypes.data % 64 == 0 and not array.any()

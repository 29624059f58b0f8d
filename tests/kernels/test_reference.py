"""One truth: every kind of task, and a frame of `nano` beside a token of an LLM, on every backend."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from rig.backends import BACKENDS, U8, Backend
from rig.cases import CASES
from rig.neuron import llm, video
from rig.programs import changed, lowered, waits
from rig.tolerance import assert_agree

from reverie.kernels import reference
from reverie.kernels.machine import memory
from reverie.kernels.program import Program, join
from reverie.kernels.tasks import Attention

DECODING = "only decoding is emitted"  # for Trainium: one position, RMS norms
LONG = {
    "embed 3",
    "project 9, RMS",
    "project 3, layer norm",
    "project 2, gated, residual",
    "recollect 16",
    "recollect to the end",
}
SHARP = "sharp"  # Trainium's kernel counts on queries of RMS one, as `heads` leaves them
Made = tuple[Program, list[U8]]


@pytest.fixture(scope="module", params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> Backend:
    return BACKENDS[request.param]


def case(name: str) -> Made:
    """A program of one operator, and its buffers before."""
    bench, tasks = CASES[name](1)
    bench.builder.op("op", tasks)
    program = bench.builder.finish(2)
    return program, [bench.given[b.name] if b.name in bench.given else memory(b.bytes) for b in program.buffers]


def wanted(program: Program, before: list[U8]) -> list[U8]:
    """What the reference leaves, task after task."""
    copies = {id(array): array.copy() for array in before}
    after = [copies[id(array)] for array in before]
    for model in range(len(program.models)):
        reference.launch(program, model, after)
    return after


@pytest.mark.parametrize("name", CASES)
def test_a_task_leaves_what_the_reference_leaves(backend: Backend, name: str) -> None:
    program, before = case(name)
    if not backend.exact and name in LONG:
        with pytest.raises(ValueError, match=DECODING):
            backend.leaves(program, before)
        return
    if not backend.exact and name.endswith(SHARP):
        pytest.skip("queries far beyond an RMS of one")
    after, found = wanted(program, before), backend.leaves(program, before)
    assert any((a != b).any() for a, b in zip(before, found, strict=True))
    assert_agree(program, found, after, backend.exact)


@pytest.fixture(scope="module")
def whole() -> tuple[Program, list[U8], list[U8]]:
    """`nano`'s first frame and a token of an LLM in one program: buffers before and after."""
    parts = [video(32, 64), llm()]
    program = join([part.program for part in parts])
    filled = {b.name: array for part in parts for b, array in zip(part.program.buffers, part.buffers, strict=True)}
    before = [filled[b.name] for b in program.buffers]
    return program, before, wanted(program, before)


def test_the_whole_program_leaves_what_the_reference_leaves(
    backend: Backend, whole: tuple[Program, list[U8], list[U8]]
) -> None:  # fmt: skip
    program, before, after = whole
    found = backend.leaves(program, before)
    assert_agree(program, found, after, backend.exact, whole=True)
    assert found[program.find("shown")].std() > 20


# --- what is broken is noticed, by every backend ---


def threshold(program: Program, before: list[U8]) -> Made:
    """A task that waits for one producer too few."""
    return lowered(program, *next(waits(program))), before


def short(program: Program, before: list[U8]) -> Made:
    """The program's last byte of weights is not there."""
    number = program.find("video.weights")
    less = replace(program.buffers[number], bytes=program.buffers[number].bytes - 64)
    return replace(program, buffers=tuple(less if b is program.buffers[number] else b for b in program.buffers)), before


def swapped(program: Program, before: list[U8]) -> Made:
    """Attention that takes this frame for its first, and the first for this."""
    for number, node in enumerate(program.nodes):
        assert isinstance(node.task, Attention)
        program = changed(program, number, task=replace(node.task, sink=node.task.now, now=node.task.sink))
    return program, before


def stale(program: Program, before: list[U8]) -> Made:
    """A slot that still holds the frame before."""
    task = program.nodes[0].task
    assert isinstance(task, Attention)
    held = list(before)
    held[task.recent.buffer] = before[task.old.buffer]
    return program, held


@pytest.mark.parametrize("mutation", [threshold, short])
def test_what_must_not_run_is_refused(
    backend: Backend, whole: tuple[Program, list[U8], list[U8]], mutation: Callable[[Program, list[U8]], Made]
) -> None:  # fmt: skip
    program, before, _ = whole
    with pytest.raises(ValueError, match=r"waits for \d+ of \d+ producers|is outside video.weights"):
        backend.leaves(*mutation(program, before))


@pytest.mark.parametrize("mutation", [swapped, stale])
def test_a_wrong_buffer_is_noticed(backend: Backend, mutation: Callable[[Program, list[U8]], Made]) -> None:
    program, before = case("attention")
    after = wanted(program, before)
    found = backend.leaves(*mutation(program, before))
    with pytest.raises(AssertionError):
        assert_agree(program, found, after, backend.exact)

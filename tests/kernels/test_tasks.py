"""Kinds of tasks: one source for Python and C++."""

import re
import struct
import subprocess
from dataclasses import fields
from pathlib import Path

import pytest

from reverie.kernels import tasks
from reverie.kernels.tasks import KINDS, NONE, RECORD_BYTES, Conv, Modulate, Ref, Span, Task

HEADER = Path(tasks.__file__).parent / "cpu" / "tasks.h"


def example(kind: type[Task]) -> Task:
    """A task with a different number in every field, begin < end and more heads than groups."""
    values = {"Ref": lambda n: Ref(n, 64 * n), "int": lambda n: 60 - n, "float": lambda n: n + 0.5}
    return kind(**{f.name: 1 if f.name == "begin" else values[str(f.type)](n) for n, f in enumerate(fields(kind), 1)})


def test_the_header_is_what_this_file_generates() -> None:
    assert HEADER.read_text() == tasks.header()


def test_opcodes_are_all_different() -> None:
    assert sorted(kind.opcode for kind in KINDS) == list(range(1, len(KINDS) + 1))


def test_structs_in_cpp_are_as_large_as_records(tmp_path: Path) -> None:
    """The compiler's layout, with every field at its place, against struct.pack's."""
    lines = ['#include "tasks.h"', "#include <cstddef>", "using namespace reverie::tasks;"]
    for kind in KINDS:
        record, at = example(kind).record(), 0
        lines.append(f"static_assert(sizeof({kind.__name__}) == {len(record)});")
        assert len(record) <= RECORD_BYTES
        for field in fields(kind):
            lines.append(f"static_assert(offsetof({kind.__name__}, {field.name}) == {at});")
            at += struct.calcsize("<" + tasks.FORMATS[str(field.type)][0])
    source = tmp_path / "layout.cpp"
    source.write_text("\n".join(lines))
    command = ["g++", "-std=c++20", "-fsyntax-only", f"-I{HEADER.parent}", str(source)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("kind", KINDS)
def test_a_record_holds_the_fields_in_order(kind: type[Task]) -> None:
    task = example(kind)
    words = struct.unpack(f"<{len(task.record()) // 4}i", task.record())
    expected: list[int] = []
    for field in fields(kind):
        value = getattr(task, field.name)
        if isinstance(value, float):
            value = struct.unpack("<i", struct.pack("<f", value))[0]
        expected += value if isinstance(value, Ref) else [value]
    assert list(words) == expected


@pytest.mark.parametrize("kind", KINDS)
def test_every_place_of_a_task_is_read_or_written(kind: type[Task]) -> None:
    task = example(kind)
    touched = {at.buffer for at in (*task.reads(), *task.writes())}
    assert touched == {getattr(task, f.name).buffer for f in fields(kind) if f.type == "Ref"}
    assert list(task.writes())


def conv(**changes: int) -> Conv:
    sizes = {"height": 8, "width": 4, "channels": 16, "beside_channels": 0, "kernel": 3, "outs": 32, "shuffle": 0,
             "activation": 0, "x_zero": 0, "y_zero": 0, "begin": 2, "end": 5} | changes  # fmt: skip
    return Conv(
        x=Ref(0), beside=NONE, weight=Ref(1), bias=Ref(2), scale=Ref(3), shift=Ref(4), residual=NONE,
        residual_scale=NONE, y=Ref(5), gate=0.0, **sizes,
    )  # fmt: skip


def test_a_convolution_reads_the_rows_around_its_own() -> None:
    row = 4 * 16
    assert next(conv().reads()) == Span(0, 1 * row, 6 * row)
    assert next(conv(begin=0, end=8).reads()) == Span(0, 0, 8 * row)
    assert next(conv(kernel=1).reads()) == Span(0, 2 * row, 5 * row)
    assert next(conv(kernel=2, begin=1, end=3).reads()) == Span(0, 2 * row, 6 * row)


def test_work_counts_each_product_and_each_sum() -> None:
    assert conv().work() == 2 * 3 * 4 * 9 * 16 * 32
    assert conv(kernel=2, begin=1, end=3).work() == 2 * 2 * 2 * 4 * 16 * 32


def test_what_touches_nothing_has_no_span() -> None:
    task = Modulate(x=NONE, gain=Ref(1), shift=Ref(2), y=Ref(3), width=16, x_zero=0, y_zero=0, begin=4, end=4)
    assert [at.buffer for at in task.reads()] == [1, 2]
    assert not list(task.writes())


def test_opcodes_in_cpp_have_a_kernel_each() -> None:
    """Every kind has its line in the interpreter and its function in the reference."""
    from reverie.kernels.reference import RUN

    cases = set(re.findall(r"case Opcode::(\w+):", (HEADER.parent / "run.h").read_text()))
    assert cases == {kind.__name__.lower() for kind in KINDS}
    assert set(RUN) == {kind.__name__ for kind in KINDS}

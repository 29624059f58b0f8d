"""Where the time went, on events made by hand and on a real launch."""

import json

import numpy as np
import pytest

from reverie.kernels import trace
from reverie.kernels.machine import Instance, Loaded, Pool
from reverie.kernels.program import Builder, Program, Role
from reverie.kernels.tasks import Unshuffle

MS = 1_000_000


def chain() -> Program:
    """Two tiles, then one operator of two tiles that each need one of them."""
    b = Builder("video")
    x, y = b.buffer("x", 8 * 16 * 3, Role.INPUT), b.buffer("y", 4 * 8 * 16, Role.OUTPUT)
    task = lambda source, to, begin: Unshuffle(x=source, y=to, width=16, zero=0, begin=begin, end=begin + 2)
    b.op("first", [task(x, y, 0), task(x, y, 2)])
    z = b.buffer("z", 4096, Role.OUTPUT)
    b.op("second", [task(y, z, 0)])
    return b.finish(2)


def test_time_stalls_and_the_critical_path_are_told_apart() -> None:
    program = chain()
    events = [(0, 0, 0, 0, 2 * MS), (1, 0, 1, 0, 1 * MS), (0, 0, 2, 3 * MS, 7 * MS)]
    report = trace.analyse(program, events, 2, 1e12)
    assert report.span_ms == 7
    assert [(op.name, op.tasks, op.ms) for op in report.ops] == [("second", 1, 4.0), ("first", 2, 3.0)]
    assert report.stalls_ms == [1.0, 6.0]
    assert report.waited_for[0] == ("second", 1.0)
    assert report.critical_ms == 6.0
    assert report.bottleneck in ("stalls", "Unshuffle")
    assert "bottleneck" in trace.text(report)


def test_a_launch_that_was_not_traced_is_refused() -> None:
    with pytest.raises(ValueError, match="not traced"):
        trace.analyse(chain(), [], 2, 1e12)


def test_a_real_launch_has_every_task_once_and_fits_perfetto() -> None:
    program = chain()
    pool = Pool(2)
    instance = Instance(Loaded(program), {})
    pool.launch([(instance, 0)], traced=True)
    events = pool.events()
    assert sorted(e[2] for e in events) == [0, 1, 2]
    report = trace.analyse(program, events, 2, 1e12)
    assert 0 < report.critical_ms <= sum(op.ms for op in report.ops) + 1e-6
    shown = json.loads(json.dumps(trace.chrome(program, events)))["traceEvents"]
    assert {row["name"] for row in shown if row["ph"] == "X"} == {"first", "second"}
    assert all(np.isfinite(row["dur"]) for row in shown if row["ph"] == "X")

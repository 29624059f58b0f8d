"""What a traced launch tells: a trace for Perfetto, and where the time went.

Events are those of `Pool.events`: (worker, job, node, begin, end), nanoseconds of the steady clock.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from reverie.kernels.program import Program
from reverie.kernels.tasks import Project

Event = tuple[int, int, int, int, int]
COLOURS = ("thread_state_running", "rail_animation", "cq_build_passed", "thread_state_iowait")  # of models, in turn
ADVICE = {
    "Conv": "convolutions: compare the paths of this CPU (REVERIE_CPU, `reverie bench engine`)",
    "Attention": "attention: its softmax is float32; fewer keys (a shorter ring) or a coarser token grid",
    "Project": "the LLM streams its weights from memory: fewer tokens a frame, or fewer bits a weight",
    "stalls": "workers wait for each other: smaller tiles, or fewer workers",
}


@dataclass(frozen=True, slots=True)
class Spent:
    """Of one kind of task, or one operator, over all workers."""

    name: str
    tasks: int
    ms: float
    share_of_peak: float  # work / measured peak / time; 0 where nothing is multiplied


@dataclass(frozen=True, slots=True)
class Report:
    span_ms: float  # from the first task's begin to the last one's end
    kinds: list[Spent]  # the longest first
    ops: list[Spent]
    stalls_ms: list[float]  # per worker: time without a task
    waited_for: list[tuple[str, float]]  # operators before whose tasks workers waited, ms
    critical_ms: float  # the longest chain of tasks that wait for each other: no number of workers is quicker
    streamed_gbs: float  # weights of the LLM read, GB/s over the span
    bottleneck: str
    advice: str


def analyse(program: Program, events: Sequence[Event], workers: int, peak: float) -> Report:
    """Args: peak: operations per second of all workers together.  Raises: ValueError without events."""
    if not events:
        raise ValueError("the launch was not traced")
    first, last = min(e[3] for e in events), max(e[4] for e in events)
    nodes = program.nodes
    kinds = _spent([(type(nodes[e[2]].task).__name__, e) for e in events], program, peak / workers)
    ops = _spent([(nodes[e[2]].op, e) for e in events], program, peak / workers)
    gaps, stalls = _gaps(program, events, workers, first, last)
    streamed = sum(
        t.width * (t.end - t.begin) for t in (nodes[e[2]].task for e in events) if isinstance(t, Project)
    )  # fmt: skip
    loss = {spent.name: spent.ms * (1 - spent.share_of_peak) for spent in kinds} | {"stalls": sum(stalls)}
    bottleneck = max(loss, key=lambda name: loss[name])
    return Report(
        (last - first) / 1e6, kinds, ops, stalls, gaps[:5], critical(program, events), streamed / (last - first),
        bottleneck, ADVICE.get(bottleneck, f"{bottleneck}: a kernel of its own for this path"),
    )  # fmt: skip


def _spent(named: Sequence[tuple[str, Event]], program: Program, peak: float) -> list[Spent]:
    time: dict[str, int] = defaultdict(int)
    work: dict[str, int] = defaultdict(int)
    count: dict[str, int] = defaultdict(int)
    for name, (_, _, node, begin, end) in named:
        time[name] += end - begin
        work[name] += program.nodes[node].task.work()
        count[name] += 1
    share = lambda name: work[name] / peak / (time[name] * 1e-9) if time[name] else 0.0
    rows = [Spent(name, count[name], time[name] / 1e6, round(share(name), 3)) for name in time]
    return sorted(rows, key=lambda row: -row.ms)


def _gaps(
    program: Program, events: Sequence[Event], workers: int, first: int, last: int
) -> tuple[list[tuple[str, float]], list[float]]:
    before: dict[str, float] = defaultdict(float)
    stalls = []
    for worker in range(workers):
        at, idle = first, 0
        for _, _, node, begin, end in sorted((e for e in events if e[0] == worker), key=lambda e: e[3]):
            idle += begin - at
            before[program.nodes[node].op] += (begin - at) / 1e6
            at = end
        stalls.append((idle + last - at) / 1e6)
    return sorted(before.items(), key=lambda item: -item[1]), stalls


def critical(program: Program, events: Sequence[Event]) -> float:
    """The longest chain of measured tasks through the waits, in ms."""
    took = {node: end - begin for _, _, node, begin, end in events}
    signalled: dict[int, int] = defaultdict(int)  # when the last producer of a counter is done
    for number, node in enumerate(program.nodes):
        if number in took:
            begun = max((signalled[counter] for counter, _ in node.waits), default=0)
            signalled[node.signal] = max(signalled[node.signal], begun + took[number])
    return max(signalled.values(), default=0) / 1e6


def chrome(program: Program, events: Sequence[Event]) -> dict[str, Any]:
    """The trace as Perfetto and chrome://tracing read it: a track per worker, models in colours."""
    first = min((e[3] for e in events), default=0)
    rows = [
        {
            "name": program.nodes[node].op, "ph": "X", "pid": 0, "tid": worker, "ts": (begin - first) / 1e3,
            "dur": (end - begin) / 1e3, "cat": program.models[program.nodes[node].model],
            "cname": COLOURS[program.nodes[node].model % len(COLOURS)],
            "args": {"task": type(program.nodes[node].task).__name__, "node": node},
        }
        for worker, _, node, begin, end in events
    ]  # fmt: skip
    names = [
        {"name": "thread_name", "ph": "M", "pid": 0, "tid": worker, "args": {"name": f"worker {worker}"}}
        for worker in sorted({e[0] for e in events})
    ]
    return {"traceEvents": [*names, *rows], "displayTimeUnit": "ms"}


def text(report: Report) -> str:
    """The report for people."""
    lines = [f"{'task':<12}{'count':>7}{'ms':>9}{'share of peak':>15}"]
    lines += [f"{k.name:<12}{k.tasks:>7}{k.ms:>9.3f}{k.share_of_peak:>15.2f}" for k in report.kinds]
    lines += ["", "longest operators: " + ", ".join(f"{o.name} {o.ms:.2f} ms" for o in report.ops[:6])]
    stalls = ", ".join(f"{ms:.2f}" for ms in report.stalls_ms)
    lines += [
        f"frame {report.span_ms:.2f} ms, critical path {report.critical_ms:.2f} ms, stalls per worker {stalls} ms",
        "waited before: " + ", ".join(f"{name} {ms:.2f} ms" for name, ms in report.waited_for),
        f"LLM weights read at {report.streamed_gbs:.1f} GB/s",
        f"bottleneck: {report.bottleneck}. Try: {report.advice}.",
    ]
    return "\n".join(lines)

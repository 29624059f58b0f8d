"""What the cycle model says of a run: engines, operators, the limiter, and a trace for Perfetto.

Everything here is modelled: constants and their sources are in trainium3.toml.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from reverie.kernels.neuron.nkisim.clock import ENGINES, Event

TITLE = "cycle model, not hardware"
ROWS = 128 * 128  # multipliers of the array
COLOURS = ("thread_state_running", "rail_animation", "cq_build_passed")
BINS, WIDE, ROW, LEFT = 320, 3, 34, 70  # of the drawing: bins, pixels each, pixels a row, and where the rows begin
INKS = ("#2f6fde", "#e08a1e", "#2a9d5c")
ADVICE = {
    "tensor": "TensorE multiplies most of the time: fewer multiplications, or MXFP8 where four rows share a cell",
    "vector": "VectorE's passes: fewer operations an element, 16-bit operands, or ScalarE in turn",
    "scalar": "ScalarE's passes: the epilogue of narrow layers costs more than their products",
    "gpsimd": "GpSimd's passes: give them to ScalarE or VectorE",
    "dma": "transfers: larger rows a partition, or maps that stay in SBUF from one operator to the next",
    "waiting": "no engine is busy: a chain of dependent instructions; interleave more independent work",
}


@dataclass(frozen=True, slots=True)
class Spent:
    """Of one operator: when it runs, and how long each engine works for it; microseconds."""

    name: str
    begin_us: float
    end_us: float
    engines_us: dict[str, float]


@dataclass(frozen=True, slots=True)
class Report:
    """Shares are of the makespan, from 0 to 1."""

    makespan_us: float
    instructions: int
    busy: dict[str, float]
    useful: float  # multiplications that count / (peak x makespan), of bfloat16's peak
    limiter: str
    advice: str
    ops: list[Spent]


def analyse(events: Sequence[Event], tensor_ghz: float = 2.4) -> Report:
    """Raises: ValueError without events."""
    if not events:
        raise ValueError("the kernel has no instructions")
    end = max(event.end for event in events)
    spent = dict.fromkeys(ENGINES, 0.0)
    for event in events:
        spent[event.engine] += event.end - event.begin
    busy = {engine: round(ns / end, 4) for engine, ns in spent.items()}
    most = max(busy, key=lambda engine: busy[engine])
    limiter = most if busy[most] >= 0.6 else "waiting"
    useful = sum(event.macs for event in events) / (ROWS * tensor_ghz * end)
    return Report(round(end / 1e3, 2), len(events), busy, round(useful, 4), limiter, ADVICE[limiter], operators(events))


def operators(events: Sequence[Event]) -> list[Spent]:
    """The operators in the order in which they begin."""
    each: dict[str, list[Event]] = defaultdict(list)
    for event in events:
        each[event.label].append(event)
    rows = []
    for name, mine in each.items():
        engines: dict[str, float] = defaultdict(float)
        for event in mine:
            engines[event.engine] += (event.end - event.begin) / 1e3
        begin, end = min(e.begin for e in mine) / 1e3, max(e.end for e in mine) / 1e3
        rows.append(Spent(name, round(begin, 2), round(end, 2), {k: round(v, 2) for k, v in engines.items()}))
    return sorted(rows, key=lambda row: row.begin_us)


def chrome(events: Sequence[Event]) -> dict[str, Any]:
    """The timeline as Perfetto reads it: a track per engine, models in colours."""
    models = list(dict.fromkeys(event.label.partition("/")[0] for event in events))
    rows = [
        {
            "name": event.label.partition("/")[2] or event.name, "ph": "X",
            "pid": 0, "tid": ENGINES.index(event.engine),
            "ts": event.begin / 1e3, "dur": (event.end - event.begin) / 1e3, "cat": event.label.partition("/")[0],
            "cname": COLOURS[models.index(event.label.partition("/")[0]) % len(COLOURS)],
            "args": {"instruction": event.name},
        }
        for event in events
    ]  # fmt: skip
    names: list[dict[str, Any]] = [{"name": "process_name", "ph": "M", "pid": 0, "args": {"name": TITLE}}]
    names += [
        {"name": "thread_name", "ph": "M", "pid": 0, "tid": i, "args": {"name": f"{engine} ({TITLE})"}}
        for i, engine in enumerate(ENGINES)
    ]
    return {"traceEvents": [*names, *rows], "displayTimeUnit": "ns", "otherData": {"title": TITLE}}


def text(report: Report) -> str:
    """The report for people."""
    lines = [f"one NeuronCore-v4, {TITLE}", ""]
    longest = sorted(report.ops, key=lambda op: -sum(op.engines_us.values()))[:12]
    lines += [f"{'operator':<34}{'begin':>9}{'end':>9}  " + "".join(f"{e:>9}" for e in ENGINES) + "   (us)"]
    for op in longest:
        cells = "".join(f"{op.engines_us.get(engine, 0.0):>9.1f}" for engine in ENGINES)
        lines.append(f"{op.name:<34}{op.begin_us:>9.1f}{op.end_us:>9.1f}  {cells}")
    shares = ", ".join(f"{engine} {share:.0%}" for engine, share in report.busy.items())
    lines += [
        "", f"makespan {report.makespan_us / 1e3:.3f} ms, {report.instructions} instructions",
        f"busy: {shares}", f"useful multiplications: {report.useful:.1%} of the bfloat16 peak",
        f"limiter: {report.limiter}. Try: {report.advice}.",
    ]  # fmt: skip
    return "\n".join(lines)


def drawing(events: Sequence[Event]) -> str:
    """The timeline as SVG: a row per engine, a colour per model, as dark as the engine is busy with it."""
    end = max(event.end for event in events)
    models = list(dict.fromkeys(event.label.partition("/")[0] for event in events))
    models = [model for model in models if model]
    height = 40 + ROW * len(ENGINES) + 30
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {LEFT + BINS * WIDE + 10} {height}" '
        'font-family="sans-serif" font-size="12">',
        f'<rect width="100%" height="100%" fill="#fff"/><text x="{LEFT}" y="16">{TITLE}: '
        f"{end / 1e6:.2f} ms on one NeuronCore-v4</text>",
    ]  # fmt: skip
    for i, model in enumerate(models):
        x = LEFT + 420 + 110 * i
        out.append(f'<rect x="{x}" y="6" width="12" height="12" fill="{INKS[i % 3]}"/>')
        out.append(f'<text x="{x + 17}" y="16">{model}</text>')
    for row, engine in enumerate(ENGINES):
        y = 30 + ROW * row
        out.append(f'<text x="8" y="{y + 18}">{engine}</text>')
        for i, model in enumerate(models):
            mine = [e for e in events if e.engine == engine and e.label.startswith(f"{model}/")]
            half = y + i * (ROW - 6) / len(models)
            out += _bars(mine, end, half, (ROW - 6) / len(models), INKS[i % 3])
    return "\n".join([*out, "</svg>", ""])


def _bars(events: Sequence[Event], end: float, y: float, height: float, ink: str) -> list[str]:
    """Runs of bins that are equally busy, to a quarter."""
    busy, each = [0.0] * BINS, end / BINS
    for event in events:
        for b in range(int(event.begin / each), min(int(event.end / each), BINS - 1) + 1):
            busy[b] += max(0.0, min(event.end, (b + 1) * each) - max(event.begin, b * each)) / each
    shares, rows, first = [min(4, round(4 * share + 0.3)) for share in busy] + [-1], [], 0
    for b in range(1, BINS + 1):
        if shares[b] != shares[first]:
            if shares[first] > 0:
                x, width = LEFT + first * WIDE, (b - first) * WIDE
                rows.append(
                    f'<rect x="{x}" y="{y:.1f}" width="{width}" height="{height:.1f}" fill="{ink}" '
                    f'opacity="{shares[first] / 4}"/>'
                )
            first = b
    return rows

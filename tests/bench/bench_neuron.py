"""`nano` and the LLM on one NeuronCore-v4, modelled: `reverie bench neuron --json`.  Nothing runs on hardware.

`busy`: share of the makespan that TensorE works; `useful`: multiplications that count / (bfloat16 peak x makespan).
`nano` at 512x288 with taps of narrow kernels packed (im2col) and shifted; `nano_trn` (the same operators, widths of 128
and more, random weights) at 1280x704, in bfloat16 and with its linear layers in MXFP8; one token of an LLM of 135
million weights; both in one kernel: one after the other, and interleaved in the order that is emitted (`ratio`); the
least that is possible is the busiest engine's time (`bound_ratio`).  `sensitivity`: each constant that is not
documented, halved and doubled, on `nano`, and the ratio under those that move it most: the order stays as it was
emitted (`--quick` leaves both and `nano_trn` out).
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from environment import environment
from tqdm import tqdm

from reverie.kernels.neuron.constants import load, values
from reverie.kernels.neuron.emit import Plan
from reverie.kernels.neuron.emit_language import Language
from reverie.kernels.neuron.emit_video import Video
from reverie.kernels.neuron.timeline import TITLE
from reverie.models.config import NANO
from reverie.models.neuron import WIDE, Emitted, Filled, Traced, emitted, language, traced, video

Model = tuple[Plan, Filled]
RATIO_MOVED_BY = (
    "vector.fixed_cycles", "vector.second_input_factor", "scalar.fixed_cycles", "gpsimd.factor", "dma.fixed_ns",
    "semaphore_ns", "tensor.latency_ns",
)  # fmt: skip


def frame(model: Filled, pack: bool = True, mx: bool = False) -> Model:
    return Video(model.program, 0, model.get, pack=pack, mx=mx).build(), model


def token(model: Filled) -> Model:
    return Language(model.program, 0, model.get).build(), model


def row(found: Traced) -> dict[str, Any]:
    report = found.report
    return {
        "ms": round(report.makespan_us / 1e3, 3), "busy": report.busy["tensor"], "useful": report.useful,
        "engines": report.busy, "limiter": report.limiter, "advice": report.advice, "instructions": report.instructions,
        "source_lines": found.lines, "emit_s": found.emit_s, "peak_bytes": found.peak_bytes, "violations": 0,
    }  # fmt: skip


def together(picture: Filled, text: Filled) -> dict[str, Any]:
    alone = [traced(emitted([frame(picture)])), traced(emitted([token(text)]))]
    apart, mixed = both(picture, text)
    sequential, best = traced(apart).report.makespan_us, traced(mixed)
    video_ms, llm_ms = (each.report.makespan_us / 1e3 for each in alone)
    busiest = max(best.report.busy.values()) * best.report.makespan_us
    return {
        "video_ms": round(video_ms, 3), "llm_ms": round(llm_ms, 3), "sequential_ms": round(sequential / 1e3, 3),
        "interleaved_ms": round(best.report.makespan_us / 1e3, 3),
        "ratio": round(best.report.makespan_us / sequential, 3), "bound_ratio": round(busiest / sequential, 3),
        "llm_dma_share_of_video": round(alone[1].report.busy["dma"] * llm_ms / video_ms, 3), "kernel": row(best),
    }  # fmt: skip


def both(picture: Filled, text: Filled) -> tuple[Emitted, Emitted]:
    """One kernel of both models: one after the other, and interleaved."""
    models = [frame(picture), token(text)]
    return emitted(models, interleave=False), emitted(models)


def changed(name: str) -> list[dict[str, float]]:
    """All constants, with one of them halved and doubled."""
    return [values() | {name: load()[name].value * by} for by in (0.5, 2.0)]


def sensitivity(picture: Filled, text: Filled) -> dict[str, Any]:
    made, (apart, mixed) = emitted([frame(picture)]), both(picture, text)
    uncertain = [c for c in load().values() if c.confidence != "documented" and not c.name.startswith("memory.")]
    rows, ratios = [], {}
    for constant in tqdm(uncertain, unit="constant", disable=not sys.stderr.isatty()):
        reports = [traced(made, numbers).report for numbers in changed(constant.name)]
        rows.append({
            "constant": constant.name, "value": constant.value, "confidence": constant.confidence,
            "ms": [round(each.makespan_us / 1e3, 3) for each in reports], "busy": [each.busy["tensor"] for each in reports],
        })  # fmt: skip
    for name in RATIO_MOVED_BY:
        pairs = [[traced(each, numbers).report.makespan_us for each in (mixed, apart)] for numbers in changed(name)]
        ratios[name] = [round(one / other, 3) for one, other in pairs]
    return {"nano": rows, "ratio": ratios}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--quick", action="store_true", help="without nano_trn and the table of constants")
    args = parser.parse_args()
    picture, text = video(NANO, 288, 512), language()
    found: dict[str, Any] = {
        "title": TITLE, "modelled": True, "environment": environment(),
        "nano": {"im2col": row(traced(emitted([frame(picture)]))), "shifted": row(traced(emitted([frame(picture, pack=False)])))},
        "llm": row(traced(emitted([token(text)]))), "together": together(picture, text),
    }  # fmt: skip
    if not args.quick:
        wide = video(WIDE, 704, 1280)
        found["nano_trn"] = {"weights": "random", "size": "1280x704", "bf16": row(traced(emitted([frame(wide)])))}
        found["nano_trn"]["linear_mxfp8"] = row(traced(emitted([frame(wide, mx=True)])))
        found["sensitivity"] = sensitivity(picture, text)
    print(json.dumps(found) if args.json else json.dumps(found, indent=2))


if __name__ == "__main__":
    main()

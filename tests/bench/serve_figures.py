"""What both clients of `bench serve` answer, and how its numbers are made from raw samples."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from rig.node import Node

LOOK = "pencil sketch"  # shown while latency is measured
LOOKS = {"nano": ("thermal camera", "pencil sketch"), "toy": ("red", "blue")}  # in turn for prompt_to_frame_ms
N_PROMPTS = 10
SETTLE_S = 1.2  # between two changes of look
WARM_S = 4.0  # bitrates settle before anything is counted


@dataclass
class Samples:
    """Raw measurements of one client; times in ms on the client's own clock."""

    first_frame_ms: float | None = None
    latencies: list[tuple[float, float]] = field(default_factory=list)  # (when, glass to glass)
    to_display: list[float] = field(default_factory=list)
    unread: int = 0  # frames whose stamp could not be told
    shown: int = 0
    prompts: list[float | None] = field(default_factory=list)


class Window:
    """Counts of the server between `open` and `close`."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.before = self._now()

    def _now(self) -> dict[str, float]:
        return {**self.node.metrics(), "cpu_s": self.node.cpu_s(), "wall_s": time.monotonic()}

    def close(self) -> dict[str, float]:
        after = self._now()
        return {name: value - self.before.get(name, 0.0) for name, value in after.items()}


def figures(samples: Samples, counts: dict[str, float]) -> dict[str, Any]:
    """The object of one row.  server_cpu is in percent of one core."""
    ages = [age for _, age in samples.latencies]
    frames_out = counts.get("reverie_frames_out_total", 0.0)
    prompts = [ms for ms in samples.prompts if ms is not None]
    row: dict[str, Any] = {
        "glass_to_glass_ms": percentiles(ages),
        "fps_out": round(samples.shown / counts["wall_s"], 2),
        "first_frame_ms": _rounded(samples.first_frame_ms),
        "prompt_to_frame_ms": {"p95": _rounded(_percentile(prompts, 95)), "n": len(prompts)},
        "prompts_without_change": len(samples.prompts) - len(prompts),
        "dropped": int(counts.get("reverie_dropped_total", 0.0)),
        "latency_slope_ms_per_min": slope(samples.latencies),
        "server_cpu": round(100 * counts["cpu_s"] / counts["wall_s"], 1),
        "seconds": round(counts["wall_s"], 1),
        "new_step_share": round(counts.get("reverie_model_steps_total", 0.0) / frames_out, 4) if frames_out else 0.0,
        "stamps_unread": samples.unread,
    }
    if samples.to_display:
        row["to_display_ms"] = percentiles(samples.to_display)
    return row


def percentiles(values: list[float]) -> dict[str, float | None]:
    return {f"p{q}": _rounded(_percentile(values, q)) for q in (50, 95, 99)}


def slope(latencies: list[tuple[float, float]]) -> float | None:
    """ms per minute, least squares; None of fewer than 30 frames."""
    if len(latencies) < 30:
        return None
    when, age = np.array(latencies).T
    return round(float(np.polyfit((when - when[0]) / 60_000, age, 1)[0]), 3)


def _percentile(values: list[float], q: float) -> float | None:
    return float(np.percentile(values, q)) if values else None


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 1)

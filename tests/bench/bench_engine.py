"""The torch path of `nano` at 512x288, one frame at a time, as a session runs it.

`fps` is what one session can get; `share_of_peak` = gop_per_frame / step time over the machine's own bfloat16 matrix
peak (a 2048^3 product, measured in the same run, alternating).  Issue C's kernel replaces this path.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from environment import environment, table

try:
    import numpy as np
    import torch
except ImportError as error:
    print(f"bench engine needs the package {error.name}: make dev", file=sys.stderr)
    sys.exit(2)

from reverie.models import registry, weights

WARM, FRAMES, ROUNDS, SIDE = 10, 120, 4, 2048


def frames() -> np.ndarray:
    """A moving scene, (FRAMES, 288, 512, 3) uint8."""
    y, x, n = np.ogrid[0:288, 0:512, 0:FRAMES]
    planes = [128 + 90 * np.sin((x + 4 * n) / 31 + p) * np.cos(y / 23 - p) for p in range(3)]
    noise = np.random.default_rng(0).normal(0, 3, (288, 512, 1, 1))
    return np.clip(np.stack(planes, -1) + noise, 0, 255).astype(np.uint8).transpose(2, 0, 1, 3).copy()


def peak_gflops() -> float:
    """Best of a few bfloat16 products."""
    a, b = (torch.randn(SIDE, SIDE).bfloat16() for _ in range(2))
    times = []
    for _ in range(6):
        began = time.perf_counter()
        a @ b
        times.append(time.perf_counter() - began)
    return 2 * SIDE**3 / min(times) / 1e9


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="the last line is one JSON object in any case")
    parser.parse_args()
    torch.set_num_threads(2)
    stream, clip = registry.load("nano").stream(), frames()
    stream.start("pencil sketch")
    stream.step(clip[:WARM])
    steps_ms: list[float] = []
    peaks: list[float] = []
    for part in np.array_split(clip, ROUNDS):
        peaks.append(peak_gflops())
        for frame in part:
            began = time.perf_counter()
            stream.step(frame[None])
            steps_ms.append((time.perf_counter() - began) * 1000)
    p50, p95 = (round(float(q), 2) for q in np.percentile(steps_ms, (50, 95)))
    gop, peak = float(weights.describe()["gop_per_frame"]), max(peaks)
    figures = {
        "fps": round(1000 / p50, 1),
        "step_ms": {"p50": p50, "p95": p95},
        "gop_per_frame": gop,
        "peak_gflops": round(peak),
        "share_of_peak": round(gop / p50 * 1000 / peak, 3),
    }
    print(table([{key: value for key, value in figures.items()}]))
    print(json.dumps({"bench": "engine", "device": "torch", "environment": environment(), **figures}))


if __name__ == "__main__":
    main()

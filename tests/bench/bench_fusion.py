"""The LLM beside the video model: `reverie bench fusion --json`, nano at 512x288, exactly one LLM token a frame.

`sequential_ms`: the same kernels one after the other, each at its best; `fused_ms`: both models in one launch;
`unfused_ms`: all operators of both one after the other.  `bound_ms` is the longer of the two alone: nothing can be
quicker.  `hidden` = (sequential - fused) / (sequential - bound), `overhead` = fused / video.  The launches alternate;
medians.  `paced`: frames at 24 a second with and without 20 tokens a second, 99th percentile of the frames' intervals.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import numpy as np
from clips import moving_camera
from environment import environment, table

from reverie.kernels.machine import Instance, Order, paths
from reverie.models import nano_kernel
from reverie.models.llm_kernel import DECODE

ROUNDS, POSITION = 60, 60  # launches of each kind; tokens already in the cache
FPS, TOKENS, PACED_S = 24, 20, 6.0


def measure(path: str) -> dict[str, float]:
    model = nano_kernel.load(cpu=path)
    stream, pool = model.stream(), model.device.pool
    stream.start("pencil sketch")
    stream.step(moving_camera(2))
    instance = stream._instance
    assert instance is not None
    position = model._llm.given["llm.position"][:4].view(np.int32)
    kinds: dict[str, tuple[list[tuple[Instance, int]], Order]] = {
        "video": ([(instance, 0)], Order.STEALING), "llm": ([(instance, DECODE)], Order.STEALING),
        "fused": ([(instance, 0), (instance, DECODE)], Order.STEALING),
        "unfused": ([(instance, 0), (instance, DECODE)], Order.UNFUSED),
    }  # fmt: skip
    times: dict[str, list[float]] = {kind: [] for kind in kinds}
    encoder = []
    for _ in range(ROUNDS):
        for kind, (jobs, order) in kinds.items():
            position[0] = POSITION
            times[kind].append(pool.launch(jobs, order) * 1000)
        pool.launch([(instance, 0)], traced=True)
        nodes = instance.loaded.program.nodes
        spent = sum(
            end - begin for _, _, n, begin, end in pool.events() if nodes[n].op.startswith(("encoder", "unshuffle"))
        )
        encoder.append(spent / pool.workers / 1e6)
    video, llm, fused, unfused = (statistics.median(times[kind]) for kind in kinds)
    sequential, bound = video + llm, max(video, llm)
    figures = {
        "video_ms": video, "encoder_ms": statistics.median(encoder), "llm_token_ms": llm, "llm_tokens_per_frame": 1,
        "sequential_ms": sequential, "unfused_ms": unfused, "fused_ms": fused, "overhead": fused / video,
        "hidden": (sequential - fused) / (sequential - bound), "bound_ms": bound,
    }  # fmt: skip
    return {key: round(value, 3) for key, value in figures.items()}


def paced(model: nano_kernel.Nano, tokens: bool) -> float:
    """99th percentile of the interval between frames, ms."""
    stream, clip = model.stream(), moving_camera(24)
    stream.start("pencil sketch")
    stream.step(clip[:2])
    instance = stream._instance
    assert instance is not None
    position = model._llm.given["llm.position"][:4].view(np.int32)
    ends, owed, start = [], 0.0, time.perf_counter()
    for n in range(int(FPS * PACED_S)):
        time.sleep(max(0.0, start + n / FPS - time.perf_counter()))
        owed += TOKENS / FPS if tokens else 0
        jobs = [(instance, 0)]
        if owed >= 1:
            owed, position[0] = owed - 1, POSITION
            jobs.append((instance, DECODE))
        instance["frame"][: clip[0].size] = clip[n % len(clip)].reshape(-1)
        model.device.pool.launch(jobs)
        ends.append(time.perf_counter())
    return float(np.percentile(np.diff(ends), 99) * 1000)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="the last line is one JSON object in any case")
    parser.parse_args()
    rows = {path: measure(path) for path in paths() if path in ("amx", "avx512vnni", "avxvnni", "neon")} or {
        "": measure("")
    }
    model = nano_kernel.load()
    without, with_tokens = paced(model, False), paced(model, True)
    print(table([{"path": path, **row} for path, row in rows.items()]))
    best = next(iter(rows))
    print(json.dumps({
        "bench": "fusion", "environment": environment(), "path": best, **rows[best], "paths": rows,
        "paced": {"p99_ms": round(without, 2), "p99_with_llm_ms": round(with_tokens, 2)},
    }))  # fmt: skip


if __name__ == "__main__":
    main()

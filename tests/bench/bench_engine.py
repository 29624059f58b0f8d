"""nano at 512x288, one frame, two workers: our program against torch and OpenVINO: `reverie bench engine --json`.

`--device cuda` measures a frame on an NVIDIA GPU instead, against torch compiled into CUDA graphs.

All alternate in one process; medians.  `ours_ms` is the quickest path of this processor; `unfused_ms` the same tiles with
all workers meeting after each operator.  `torch_ms` is the better of eager and compiled, bfloat16; OpenVINO runs the same
graph in bfloat16 and quantised by NNCF on frames of the same kind.  torch and OpenVINO use AMX where the processor has it.
`share_of_peak` = work / the measured int8 peak of the unit that ran (registers only, both cores, best of all rounds) /
`ours_ms`; `paths` has it for every path (null where no peak is known), so that the vector unit's share can be read beside that of AMX.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
try:
    import rivals
    import torch
    from clips import moving_camera
    from environment import environment, table
except ImportError as error:
    print(f"bench engine needs the package {error.name}: make dev", file=sys.stderr)
    sys.exit(2)

from reverie.kernels import _cpu
from reverie.kernels.machine import Order, paths
from reverie.models import nano, nano_kernel

WORKERS, ROUNDS, EACH = 2, 12, 5  # EACH runs of a kind per round
SLOW = ("portable",)  # measured less often
PEAK_STEPS = {"avx2": 4_000_000, "amx": 4_000_000, "avx512vnni": 800_000}


def ours() -> dict[str, tuple[Callable[[Order], float], float]]:
    """Per path: what launches a frame and returns its seconds, and the frame's operations."""
    runs = {}
    for path in paths():
        model = nano_kernel.load(cpu=path, workers=WORKERS)
        stream = model.stream()
        stream.start("pencil sketch")
        stream.step(moving_camera(2))
        instance = stream._instance
        assert instance is not None
        work = instance.loaded.program.work(0)
        runs[path] = (lambda order, i=instance, p=model.device.pool: p.launch([(i, 0)], order), work)
    return runs


def seconds(run: Callable[[], object]) -> float:
    began = time.perf_counter()
    run()
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="the last line is one JSON object in any case")
    parser.add_argument(
        "--device", choices=("cpu", "cuda"), default="cpu", help="cuda: on an NVIDIA GPU, if there is one"
    )
    if parser.parse_args().device == "cuda":
        import engine_cuda

        print(json.dumps(engine_cuda.measure()))
        return
    torch.set_num_threads(WORKERS)
    programs, model = ours(), nano.load()
    clip = moving_camera(12)
    others = {f"openvino_{k}": run for k, run in rivals.openvino(model, clip).items()}
    others |= {f"torch_{k}": run for k, run in rivals.through_torch(model, clip[0]).items()}
    times: dict[str, list[float]] = {}
    peaks = dict.fromkeys(programs, 0.0)
    for number in range(ROUNDS):
        for path, (launch, _) in programs.items():
            if path in SLOW and number % 4:
                continue
            for order in (Order.STEALING, Order.UNFUSED):
                times.setdefault(f"{path} {order.name}", []).extend(launch(order) for _ in range(EACH))
            for _ in range(EACH):  # after our launches: the rivals' threads spin for a while after theirs
                peaks[path] = max(peaks[path], _cpu.peak(path, WORKERS, PEAK_STEPS.get(path, 200_000)))
        for name, run in others.items():
            run()
            times.setdefault(name, []).extend(seconds(run) for _ in range(EACH))
    ms = {name: statistics.median(each) * 1000 for name, each in times.items()}
    report(programs, peaks, ms)


def share(of_peak: float) -> float | None:
    """None where the loop that should be the peak is slower than the tiles: then it is none."""
    return round(of_peak, 3) if of_peak <= 1 else None


def report(
    programs: dict[str, tuple[Callable[[Order], float], float]], peaks: dict[str, float], ms: dict[str, float]
) -> None:
    rows = {
        path: {
            "ms": round(ms[f"{path} STEALING"], 2), "unfused_ms": round(ms[f"{path} UNFUSED"], 2),
            "peak_gops": round(peaks[path] / 1e9), "share_of_peak": share(work / peaks[path] / ms[f"{path} STEALING"] * 1e3),
        }
        for path, (_, work) in programs.items()
    }  # fmt: skip
    best = min(rows, key=lambda path: rows[path]["ms"])
    fast = ms[f"{best} STEALING"]
    torch_ms = min(value for name, value in ms.items() if name.startswith("torch_"))
    print(table([{"path": path, **row} for path, row in rows.items()]))
    print(
        table(
            [{"rival": name, "ms": round(v, 2), "ratio": round(v / fast, 2)} for name, v in ms.items() if "_" in name]
        )
    )
    print(json.dumps({
        "bench": "engine", "environment": environment(), "path": best, "peak_int8_gops": rows[best]["peak_gops"],
        "gop_per_frame": round(programs[best][1] / 1e9, 2), "ours_ms": rows[best]["ms"],
        "share_of_peak": rows[best]["share_of_peak"], "unfused_ms": rows[best]["unfused_ms"],
        "torch_ms": round(torch_ms, 2), "openvino_bf16_ms": round(ms["openvino_bf16"], 2),
        "openvino_int8_ms": round(ms["openvino_int8"], 2), "ratio_torch": round(torch_ms / fast, 2),
        "ratio_openvino_bf16": round(ms["openvino_bf16"] / fast, 2),
        "ratio_openvino_int8": round(ms["openvino_int8"] / fast, 2), "paths": rows,
    }))  # fmt: skip


if __name__ == "__main__":
    main()

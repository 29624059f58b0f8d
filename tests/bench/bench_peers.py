"""One-step img2img with SD-Turbo's sizes and random weights, through five libraries: `reverie bench peers --json`.

diffusers' own pipeline, PyPI `streamdiffusion`, OpenVINO and our adapter, and `nano` beside them, which is another, far
smaller model.  All alternate in one process, a frame each a round; medians.  Random weights say nothing of quality, only of speed.
`adapter_overhead` is the time of our step outside of its three networks, over the time inside of them, of the same frames.
Ratios are medians over rounds of theirs to ours, of time and of processor time, and `best_ratio` that of the quickest frame of
each, which other work on the machine disturbs least; above 1 ours is quicker.  At 512x512 a round takes over a minute on two
cores without AVX512: --size 256 is a quarter of the work.  All run in the numbers that ours takes by itself on the device,
bfloat16 where it multiplies them quickly (--dtype); streamdiffusion on a GPU in its own half precision;
`work_gb` is what its frame took beside the weights, `vram_gb` all of them together.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
try:
    import cv2
    import peers
    import torch
    from clips import moving_camera
    from environment import environment, table

    from reverie.models.diffusion.precision import number
except ImportError as error:
    print(f"bench peers needs the package {error.name}: make dev", file=sys.stderr)
    sys.exit(2)

THREADS = 2
PEERS = ("diffusers", "streamdiffusion", "openvino", "nano")


class Inside:
    """Seconds spent in functions that it wraps."""

    def __init__(self, wait: Any) -> None:
        self.wait, self.seconds = wait, 0.0

    def wrap(self, function: Any) -> Any:
        def timed(*args: Any, **kwargs: Any) -> Any:
            self.wait()
            began = time.perf_counter()
            answer = function(*args, **kwargs)
            self.wait()
            self.seconds += time.perf_counter() - began
            return answer

        return timed


def build(device: str, dtype: torch.dtype, size: int, without: set[str], inside: Inside) -> dict[str, peers.Run]:
    """What is measured, by name.  Missing packages are said and left out."""
    made = peers.pipeline(device, dtype)
    theirs = peers.twin(made) if device == "cpu" else peers.twin(made).to(device, torch.float16)
    run, model = peers.ours(made, device)
    model._forward = inside.wrap(model._forward)
    model.vae.encode, model.vae.decode = inside.wrap(model.vae.encode), inside.wrap(model.vae.decode)
    makers = {
        "ours": lambda: run, "diffusers": lambda: peers.plain(theirs),
        "streamdiffusion": lambda: peers.streamdiffusion(theirs, size),
        "openvino": lambda: peers.openvino(theirs, size, THREADS, dtype), "nano": peers.nano,
    }  # fmt: skip
    runs = {}
    for name, make in makers.items():
        if name in without or (name == "openvino" and device != "cpu"):
            continue
        try:
            began = time.perf_counter()
            runs[name] = make()
            print(f"{name} is built, {time.perf_counter() - began:.1f} s", file=sys.stderr)
        except ImportError as error:
            print(f"{name} is left out: {error}", file=sys.stderr)
    return runs


@dataclass(frozen=True, slots=True)
class Took:
    """One frame: seconds by the clock, of all the processor's threads, inside our three networks; bytes of a GPU."""

    wall: float
    cpu: float
    inside: float
    work_bytes: int


def measure(runs: dict[str, peers.Run], frames: Any, rounds: int, inside: Inside) -> dict[str, list[Took]]:
    """By round; the first one warms up and does not count.  Every other round goes the other way."""
    took: dict[str, list[Took]] = {name: [] for name in runs}
    for number in range(rounds + 1):
        for name in list(runs) if number % 2 else list(reversed(runs)):
            torch.cuda.reset_peak_memory_stats() if torch.cuda.is_available() else None
            before, inside.seconds = torch.cuda.memory_allocated() if torch.cuda.is_available() else 0, 0.0
            inside.wait()
            began, worked = time.perf_counter(), time.process_time()
            shown = runs[name](frames[number % len(frames)])
            inside.wait()
            wall, cpu = time.perf_counter() - began, time.process_time() - worked
            peak = torch.cuda.max_memory_allocated() - before if torch.cuda.is_available() else 0
            assert shown.shape == frames[0].shape, name
            if number:
                took[name].append(Took(wall, cpu, inside.seconds, peak))
            print(f"round {number} {name}: {wall * 1000:.1f} ms", file=sys.stderr)
    return took


def ratio(of: list[float], to: list[float]) -> float:
    return round(statistics.median(a / b for a, b in zip(of, to, strict=True)), 3)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="the last line is one JSON object in any case")
    parser.add_argument("--size", type=int, default=512, help="sides of the picture, a multiple of 64 (512)")
    parser.add_argument("--rounds", type=int, default=3, help="frames of each that count (3)")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), help="of all of them; otherwise the device's")
    parser.add_argument("--without", action="append", default=[], choices=PEERS, help="leave one out")
    args = parser.parse_args()
    if args.size % 64 or not 64 <= args.size <= 704 or args.rounds < 1:
        parser.error("--size must be a multiple of 64 up to 704, --rounds at least 1")
    if args.device == "cuda" and not torch.cuda.is_available():
        parser.error("there is no CUDA device here")
    torch.set_num_threads(THREADS)
    warnings.filterwarnings("ignore", category=torch.jit.TracerWarning)
    wait = torch.cuda.synchronize if args.device == "cuda" else lambda: None
    inside = Inside(wait)
    dtype = getattr(torch, args.dtype) if args.dtype else number(args.device)
    args.dtype = str(dtype).removeprefix("torch.")
    runs = build(args.device, dtype, args.size, set(args.without), inside)
    frames = [cv2.resize(frame, (args.size, args.size)) for frame in moving_camera(args.rounds + 1)]
    report(args, measure(runs, frames, args.rounds, inside))


def report(args: argparse.Namespace, took: dict[str, list[Took]]) -> None:
    rows = []
    for name, each in took.items():
        wall = statistics.median(t.wall for t in each)
        row = {
            "name": name, "ms": round(wall * 1000, 1), "fps": round(1 / wall, 3),
            "cpu_ms": round(statistics.median(t.cpu for t in each) * 1000),
            "ratio": ratio([t.wall for t in each], [t.wall for t in took["ours"]]),
            "best_ratio": round(min(t.wall for t in each) / min(t.wall for t in took["ours"]), 3),
            "cpu_ratio": ratio([t.cpu for t in each], [t.cpu for t in took["ours"]]),
        }  # fmt: skip
        rows.append(
            row | ({"work_gb": round(max(t.work_bytes for t in each) / 1e9, 2)} if args.device == "cuda" else {})
        )
    overhead = statistics.median((t.wall - t.inside) / t.inside for t in took["ours"])
    print(table(rows))
    found: dict[str, Any] = {
        "bench": "peers", "environment": environment(), "device": args.device, "dtype": args.dtype,
        "size": args.size,
        "rounds": args.rounds, "rows": rows, "adapter_overhead": round(overhead, 4),
        **{f"ratio_{row['name']}": row["ratio"] for row in rows if row["name"] != "ours"},
    }  # fmt: skip
    if args.device == "cuda":
        found |= {"gpu": torch.cuda.get_device_name(), "vram_gb": round(torch.cuda.max_memory_reserved() / 1e9, 2)}
    print(json.dumps(found))


if __name__ == "__main__":
    main()

"""One-step img2img with SD-Turbo's sizes and random weights, through five libraries: `reverie bench peers --json`.

diffusers' own pipeline, PyPI `streamdiffusion`, OpenVINO and our adapter, and `nano` beside them, which is another, far
smaller model.  All alternate in one process, a frame each a round; medians.  Random weights say nothing of quality, only of speed.
`adapter_overhead` is the time of our step outside of its three networks, over the time inside of them, of the same frames.
Ratios are medians over rounds of theirs to ours; above 1 ours is quicker.  At 512x512 a round takes about half a minute
on two cores without AVX512: --size 256 is a quarter of the work.  On a GPU (--device cuda) each runs in its own half precision.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
import warnings
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
try:
    import cv2
    import peers
    import torch
    from clips import moving_camera
    from environment import environment, table
except ImportError as error:
    print(f"bench peers needs the package {error.name}: make dev", file=sys.stderr)
    sys.exit(2)

THREADS = 2


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


def build(device: str, size: int, without: set[str], inside: Inside) -> dict[str, peers.Run]:
    """What is measured, by name.  Missing packages are said and left out."""
    dtype = torch.float32 if device == "cpu" else torch.bfloat16
    made = peers.pipeline(device, dtype)
    theirs = peers.twin(made) if device == "cpu" else peers.twin(made).to(device, torch.float16)
    run, model = peers.ours(made, device)
    model._forward = inside.wrap(model._forward)
    model.vae.encode, model.vae.decode = inside.wrap(model.vae.encode), inside.wrap(model.vae.decode)
    makers = {
        "ours": lambda: run, "diffusers": lambda: peers.plain(theirs),
        "streamdiffusion": lambda: peers.streamdiffusion(theirs, size),
        "openvino": lambda: peers.openvino(theirs, size, THREADS), "nano": peers.nano,
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


def measure(
    runs: dict[str, peers.Run], frames: Any, rounds: int, inside: Inside
) -> tuple[dict[str, list[float]], list[float]]:
    """Seconds of each by round, the first of which warms up and does not count; and those inside our networks."""
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    networks = []
    for number in range(rounds + 1):
        order = list(runs) if number % 2 else list(reversed(runs))
        for name in order:
            inside.seconds = 0.0
            inside.wait()
            began = time.perf_counter()
            shown = runs[name](frames[number % len(frames)])
            inside.wait()
            taken = time.perf_counter() - began
            assert shown.shape == frames[0].shape, name
            if number:
                seconds[name].append(taken)
                if name == "ours":
                    networks.append(inside.seconds)
            print(f"round {number} {name}: {taken * 1000:.1f} ms", file=sys.stderr)
    return seconds, networks


def ratio(of: list[float], to: list[float]) -> float:
    return round(statistics.median(a / b for a, b in zip(of, to, strict=True)), 3)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="the last line is one JSON object in any case")
    parser.add_argument("--size", type=int, default=512, help="sides of the picture, a multiple of 64 (512)")
    parser.add_argument("--rounds", type=int, default=5, help="frames of each that count (5)")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--without", action="append", default=[], metavar="NAME", help="leave one out")
    args = parser.parse_args()
    if args.size % 64 or not 64 <= args.size <= 704 or args.rounds < 1:
        parser.error("--size must be a multiple of 64 up to 704, --rounds at least 1")
    if args.device == "cuda" and not torch.cuda.is_available():
        parser.error("there is no CUDA device here")
    torch.set_num_threads(THREADS)
    warnings.filterwarnings("ignore", category=torch.jit.TracerWarning)
    wait = torch.cuda.synchronize if args.device == "cuda" else lambda: None
    inside = Inside(wait)
    runs = build(args.device, args.size, set(args.without), inside)
    frames = [cv2.resize(frame, (args.size, args.size)) for frame in moving_camera(args.rounds + 1)]
    seconds, networks = measure(runs, frames, args.rounds, inside)
    report(args, seconds, networks)


def report(args: argparse.Namespace, seconds: dict[str, list[float]], networks: list[float]) -> None:
    median = {name: statistics.median(each) for name, each in seconds.items()}
    rows = [
        {"name": name, "ms": round(s * 1000, 1), "fps": round(1 / s, 3), "ratio": ratio(seconds[name], seconds["ours"])}
        for name, s in median.items()
    ]
    overhead = statistics.median((s - n) / n for s, n in zip(seconds["ours"], networks, strict=True))
    print(table(rows))
    found: dict[str, Any] = {
        "bench": "peers", "environment": environment(), "device": args.device, "size": args.size,
        "rounds": args.rounds, "rows": rows, "adapter_overhead": round(overhead, 4),
        **{f"ratio_{row['name']}": row["ratio"] for row in rows if row["name"] != "ours"},
    }  # fmt: skip
    if args.device == "cuda":
        found |= {"gpu": torch.cuda.get_device_name(), "vram_gb": round(torch.cuda.max_memory_allocated() / 1e9, 2)}
    print(json.dumps(found))


if __name__ == "__main__":
    main()

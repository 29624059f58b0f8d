"""Four denoising steps of four frames in one call against the same steps one by one: `reverie bench steps --json`.

An image model of SD-Turbo's sizes with random weights and LCM's scheduler, one stream.  A frame through the stream batch
is one call of the network with four rows; one by one it is four calls with a row each.  Encoder and decoder are the same.
Both alternate, a frame each a round; the ratio is the median over rounds of one by one to batch; above 1 the batch is quicker.
Weights are laid out for a count of rows, which does not change while a stream runs, so each has its own copy of them.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
try:
    import diffusers
    import numpy as np
    import peers
    import torch
    from environment import environment, table
except ImportError as error:
    print(f"bench steps needs the package {error.name}: make dev", file=sys.stderr)
    sys.exit(2)

from reverie.models.diffusion.image import ImageStream, noise
from reverie.models.diffusion.network import ImageModel
from reverie.models.diffusion.precision import number

SEED = 1


@torch.inference_mode()
def one_by_one(model: ImageModel, stream: ImageStream, frame: peers.Frame) -> peers.Frame:
    """All steps of a frame, one after the other."""
    plan, wish = stream._plan, stream.wish
    assert plan is not None and wish is not None
    source = model.encode(frame[None])
    fixed, x0 = noise(SEED, (model.steps, *source.shape[1:])).to(source), source
    for step in range(model.steps):
        at = plan.only(step)
        x = at.signal * x0 + at.noise * fixed[step : step + 1]
        predicted = model._forward(x, at.timesteps, wish.words.tokens, return_dict=False)[0]
        x0 = at.clean(x, predicted)
    return model.decode(x0)[0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="the last line is one JSON object in any case")
    parser.add_argument("--size", type=int, default=256, help="sides of the picture, a multiple of 64 (256)")
    parser.add_argument("--rounds", type=int, default=3, help="frames of each that count (3)")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    args = parser.parse_args()
    if args.size % 64 or not 64 <= args.size <= 704 or args.rounds < 1:
        parser.error("--size must be a multiple of 64 up to 704, --rounds at least 1")
    made = peers.pipeline(args.device, number(args.device))
    twins = [peers.twin(made) for _ in range(2)]
    for twin in twins:
        twin.scheduler = diffusers.LCMScheduler(**peers.PLAN)
    both = [ImageModel(twin, Path("lcm"), args.device) for twin in twins]
    streams = [model.stream() for model in both]
    for stream in streams:
        stream.start(peers.PROMPT, seed=SEED)
    frames = np.random.default_rng(0).integers(0, 256, (args.rounds + 1, args.size, args.size, 3), np.uint8)
    runs = {"batch": lambda f: streams[0].step(f[None])[0], "one by one": lambda f: one_by_one(both[1], streams[1], f)}
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for turn, frame in enumerate(frames):
        for name in runs if turn % 2 else reversed(runs):
            began = time.perf_counter()
            runs[name](frame)
            taken = time.perf_counter() - began
            print(f"round {turn} {name}: {taken * 1000:.1f} ms", file=sys.stderr)
            if turn:  # the first warms up
                seconds[name].append(taken)
    rows = [{"name": name, "ms": round(statistics.median(each) * 1000, 1)} for name, each in seconds.items()]
    ratio = statistics.median(a / b for a, b in zip(seconds["one by one"], seconds["batch"], strict=True))
    print(table(rows))
    print(
        json.dumps({
            "bench": "steps", "environment": environment(), "device": args.device, "dtype": str(both[0].dtype).removeprefix("torch."),
            "size": args.size,
            "rounds": args.rounds, "rows": rows, "ratio_one_by_one": round(ratio, 3),
        })
    )  # fmt: skip


if __name__ == "__main__":
    main()

"""`python -m reverie.models.calibrate`: the largest value of every activation that becomes a byte.

Run again whenever weights change.  Needs the training cache (held-out clips and the words of each look).
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from reverie.models import weights
from reverie.models.config import NANO
from reverie.models.layers import Block, Down, Res, Up
from reverie.models.memory import Ring
from reverie.models.network import Network, Style

RANGES = weights.SHIPPED.with_suffix(".ranges.json")


class Taps:
    """Largest |value| of each activation, by the name that the lowering gives it."""

    def __init__(self, network: Network) -> None:
        self.most: dict[str, float] = {}
        self.network = network
        network.encoder.register_forward_hook(lambda m, i, out: self.see("half", out.half))
        self.input("before.x", network.before)
        self.input("head.x", network.head)
        self.output("head", network.head)
        for name, module in network.named_modules():
            for kind, watch in WATCH.items():
                if isinstance(module, kind):
                    watch(self, name, module)

    def see(self, name: str, x: Tensor) -> None:
        self.most[name] = max(self.most.get(name, 0.0), float(x.abs().max()))

    def output(self, name: str, module: nn.Module) -> None:
        module.register_forward_hook(lambda m, i, out: self.see(name, out))

    def input(self, name: str, module: nn.Module) -> None:
        module.register_forward_hook(lambda m, i, out: self.see(name, i[0]))


def _res(taps: Taps, name: str, res: Any) -> None:
    taps.output(name, res)
    taps.input(f"{name}.h", res.b)


def _up(taps: Taps, name: str, up: Any) -> None:
    taps.output(name, up)
    up.join.register_forward_hook(lambda m, i, out: taps.see(f"{name}.up", i[0][:, : i[0].shape[1] // 2]))


def _block(taps: Taps, name: str, block: Any) -> None:
    def see_qkv(module: nn.Module, args: Any, out: Tensor) -> None:
        for part, x in zip("qkv", out.chunk(3, -1), strict=True):
            taps.see(f"{name}.{part}", x)

    taps.input(f"{name}.x", block)
    taps.output(name, block)
    block.qkv.register_forward_hook(see_qkv)
    for part, module in (("n1", block.qkv), ("o", block.proj), ("n2", block.up), ("h", block.down)):
        taps.input(f"{name}.{part}", module)
    taps.output(f"{name}.between", block.between)


WATCH: dict[type, Callable[[Taps, str, Any], None]] = {
    Res: _res, Up: _up, Block: _block, Down: lambda taps, name, down: taps.output(name, down),
}  # fmt: skip


@torch.inference_mode()
def ranges(network: Network, clips: Sequence[NDArray[np.uint8]], styles: Sequence[Style]) -> dict[str, float]:
    """Run clips (T, H, W, 3) through every style.  Several frames: what attention recalls is measured too."""
    taps = Taps(network)
    for style in styles:
        for i, kv in enumerate(style.tokens):
            taps.see(f"blocks.{i}.v", kv.v)
        for clip in clips:
            rings = [Ring(NANO.recent) for _ in network.blocks]
            noise = torch.randn(1, 3, *clip.shape[1:3], generator=torch.Generator().manual_seed(0))
            for frame in clip:
                source = torch.from_numpy(np.array(frame)).permute(2, 0, 1)[None].float() / 127.5 - 1
                network(source, noise, style, rings)
                for ring in rings:
                    ring.advance()
    return {name: round(value, 4) for name, value in sorted(taps.most.items())}


def main() -> None:
    from reverie.models.train.__main__ import CACHE
    from reverie.models.train.prompts import phrases
    from reverie.models.train.words import Words

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cache", type=Path, default=CACHE)
    parser.add_argument("--clips", type=int, default=6, help="held-out clips, spread over the set")
    args = parser.parse_args()
    network = Network(NANO)
    network.load_state_dict(weights.load(weights.SHIPPED))
    looks = json.loads((args.cache / "data" / "index.json").read_text())["looks"]
    held = np.load(args.cache / "data" / "held.npy", mmap_mode="r")
    seen, _ = phrases()
    words = Words([seen[look] for look in looks], NANO, args.cache / "data" / "seen.npz")
    rng = np.random.default_rng(0)
    styles = []
    with torch.inference_mode():
        for _ in range(2):
            for look in range(len(looks)):
                tokens = network.connector(*words.draw(np.array([look]), rng))
                styles.append(network.style(tokens, torch.ones(1)))
    items = np.linspace(0, len(held) - 1, args.clips).astype(int)
    found = ranges(network.eval(), [held[i, :2, 0] for i in items], styles)
    RANGES.write_text(json.dumps(found, indent=1) + "\n")
    print(json.dumps(found))


if __name__ == "__main__":
    main()

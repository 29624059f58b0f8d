"""Each distinct layer of `nano` at 512x288 as an int8 tile with its epilogue, on random weights, two workers.

`share` = achieved int8 operations over the machine's own VNNI peak (register-only products on both cores, measured
beside each layer, the best of short bursts); medians of several runs.  The frame's figure adds all layers;
attention (bfloat16, 2.05 GOP) is not written yet: its time is MODELLED as half of the bfloat16 peak, that peak as half
of the int8 one.  Rows marked `?` are alternatives that were weighed.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import numpy as np
from environment import environment, table

from reverie.kernels import _cpu
from reverie.kernels.conv import Activation, Conv, timed

HALF, QUARTER, EIGHTH, SIXTEENTH = (144, 256), (72, 128), (36, 64), (18, 32)
ATTENTION_GOP = 2 * 4 * 576 * (4 * 576 + 16) * 192 / 1e9
ATTENTION_SHARE = 0.5  # modelled, of the bfloat16 peak
WORKERS, RUNS, BUDGET_S = 2, 9, 0.02


@dataclass(frozen=True)
class Layer:
    """One distinct shape; `count` times per frame (0: an alternative)."""

    name: str
    size: tuple[int, int]  # of x
    channels: int
    outs: int
    kernel: int
    count: int
    active: bool = False
    residual: bool = False
    shuffle: bool = False
    beside: int = 0

    def gop(self) -> float:
        rows, columns = (n // 2 if self.kernel == 2 else n for n in self.size)
        return 2 * rows * columns * (self.kernel**2 * self.channels + self.beside) * self.outs / 1e9


LAYERS = (
    Layer("stem 3x3", HALF, 16, 32, 3, 1, active=True),
    Layer("res a 3x3", HALF, 32, 32, 3, 1, active=True),
    Layer("res b 3x3", HALF, 32, 32, 3, 1, residual=True),
    Layer("head 3x3", HALF, 32, 16, 3, 1),
    Layer("join 1x1", HALF, 32, 32, 1, 1, beside=32),
    Layer("down 2x2", HALF, 32, 64, 2, 1),
    Layer("res a 3x3", QUARTER, 64, 64, 3, 2, active=True),
    Layer("res b 3x3", QUARTER, 64, 64, 3, 2, residual=True),
    Layer("join 1x1", QUARTER, 64, 64, 1, 1, beside=64),
    Layer("up 1x1", QUARTER, 64, 128, 1, 1, shuffle=True),
    Layer("down 2x2", QUARTER, 64, 128, 2, 1),
    Layer("res a 3x3", EIGHTH, 128, 128, 3, 3, active=True),
    Layer("res b 3x3", EIGHTH, 128, 128, 3, 3, residual=True),
    Layer("patch 1x1", EIGHTH, 192, 128, 1, 1, residual=True),
    Layer("join 1x1", EIGHTH, 128, 128, 1, 1, beside=128),
    Layer("up 1x1", EIGHTH, 128, 256, 1, 1, shuffle=True),
    Layer("down 2x2", EIGHTH, 128, 192, 2, 2),
    Layer("res a 3x3", SIXTEENTH, 192, 192, 3, 2, active=True),
    Layer("res b 3x3", SIXTEENTH, 192, 192, 3, 2, residual=True),
    Layer("qkv", SIXTEENTH, 192, 576, 1, 2),
    Layer("proj", SIXTEENTH, 192, 192, 1, 2, residual=True),
    Layer("mlp up", SIXTEENTH, 192, 576, 1, 2, active=True),
    Layer("mlp down", SIXTEENTH, 576, 192, 1, 2, residual=True),
    Layer("up 1x1", SIXTEENTH, 192, 512, 1, 1, shuffle=True),
    Layer("? res a 3x3", HALF, 64, 64, 3, 0, active=True),
    Layer("? res a 3x3", SIXTEENTH, 256, 256, 3, 0, active=True),
)  # fmt: skip


def seconds(layer: Layer, activation: Activation) -> float:
    """Median time of the layer on both cores."""
    rng = np.random.default_rng(0)
    shape = (layer.outs, layer.kernel, layer.kernel, layer.channels + layer.beside)
    conv = Conv(
        rng.integers(-128, 128, shape).astype(np.int8), np.full(layer.outs, 1e-4, np.float32),
        np.full(layer.outs, 128, np.float32), activation, gate=0.02, residual_scale=1.0, shuffle=layer.shuffle,
        table=np.arange(256, dtype=np.uint8) if activation == Activation.TABLE else None,
    )  # fmt: skip
    x = rng.integers(0, 256, (*layer.size, layer.channels), np.uint8)
    beside = rng.integers(0, 256, (*layer.size, layer.beside), np.uint8) if layer.beside else None
    y = np.empty(conv.shape(x), np.uint8)
    residual = np.zeros_like(y) if layer.residual else None
    packed = conv.packed()
    once = lambda repeat: timed(conv, x, y, residual, beside, "", WORKERS, repeat, packed)
    repeat = max(2, int(BUDGET_S / once(2)))
    return statistics.median(once(repeat) for _ in range(RUNS))


def peak() -> float:
    """Operations per second of the quickest path, registers only, both cores."""
    return max(_cpu.peak(_cpu.paths()[0], WORKERS, 1_000_000) for _ in range(10))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="the last line is one JSON object in any case")
    parser.parse_args()
    acts = (Activation.RELU, Activation.HARD_SWISH, Activation.TABLE)
    best, rows = peak(), []
    totals = dict.fromkeys((a.name.lower() for a in acts), 0.0)
    for layer in LAYERS:
        times = (
            {a: seconds(layer, a) for a in acts} if layer.active else {Activation.NONE: seconds(layer, Activation.NONE)}
        )
        best = max(best, peak())
        for a in acts:
            totals[a.name.lower()] += layer.count * times.get(a, times.get(Activation.NONE, 0.0))
        chosen = times.get(Activation.HARD_SWISH, times.get(Activation.NONE, 0.0))
        rows.append({
            "layer": layer.name, "size": f"{layer.size[1]}x{layer.size[0]}",
            "channels": f"{layer.channels + layer.beside}>{layer.outs}", "count": layer.count,
            "gop": round(layer.gop(), 3), "us": round(chosen * 1e6, 1), "gops": round(layer.gop() / chosen),
            "relu_us": round(times.get(Activation.RELU, 0) * 1e6, 1), "table_us": round(times.get(Activation.TABLE, 0) * 1e6, 1),
        })  # fmt: skip
    for row in rows:
        row["share"] = round(float(row["gops"]) * 1e9 / best, 2)
    gop = sum(layer.count * layer.gop() for layer in LAYERS)
    attention_s = ATTENTION_GOP * 1e9 / (best / 2) / ATTENTION_SHARE
    ideal_s = gop * 1e9 / best + ATTENTION_GOP * 1e9 / (best / 2)
    shares = {name: round(ideal_s / (total + attention_s), 3) for name, total in totals.items()}
    print(table(rows))
    print(f"peak {best / 1e9:.0f} GOP/s; convolutions {gop:.2f} GOP; predicted share of peak for the frame: {shares}")
    print(json.dumps({
        "bench": "layers", "environment": environment(), "path": _cpu.paths()[0], "peak_int8_gops": round(best / 1e9),
        "conv_gop": round(gop, 2), "conv_ms": {k: round(v * 1e3, 2) for k, v in totals.items()},
        "conv_share": {k: round(gop * 1e9 / best / v, 3) for k, v in totals.items()},
        "attention_ms_modelled": round(attention_s * 1e3, 2), "predicted_share": shares, "rows": rows,
    }))  # fmt: skip


if __name__ == "__main__":
    main()

"""Fits the encoder of reference pictures (models/picture.py) to the shipped weights, in closed form but for one layer.

Two kinds of pairs teach it: what a look makes of a clip, with the style tokens of the look's names; and what
the shipped weights make of one, in one look or a blend of two, with the tokens that were worn.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from safetensors.numpy import save_file
from torch import nn
from tqdm import tqdm

from reverie.models import weights
from reverie.models.nano_kernel import Nano
from reverie.models.nearest import Landing
from reverie.models.picture import SHIPPED, Encoder, features
from reverie.models.quantise import F32
from reverie.models.style import blended
from reverie.models.train.batches import Batches
from reverie.models.train.looks.scene import Wish
from reverie.models.train.prompts import split

NAMES_HEARD = 12  # phrases of a look whose tokens are averaged
HIDDEN, BASIS = 192, 48
STEPS, NOISE = 3000, 0.3


class Pairs(NamedTuple):
    """N pictures as statistics, and what they should become."""

    read: F32  # (N, F)
    tokens: F32  # (N, S, cond)


def heard(model: Nano, looks: Sequence[str]) -> F32:
    """Style tokens of each look (looks, S, cond): the mean of those of its names."""
    each = []
    for look in looks:
        tokens = [model.tokens(phrase) for phrase in split(look, Wish())[0][:NAMES_HEARD]]
        each.append(blended(tokens, [1 / len(tokens)] * len(tokens)))
    return np.stack(each)


def middles(model: Nano) -> Landing:
    """Where the looks of the shipped weights lie, the unchanged picture too."""
    looks = weights.describe()["looks"].split(",")
    return Landing(dict(zip(looks, heard(model, looks), strict=True)))


def painted(batches: Batches, looks: Sequence[str], tokens: F32, most: int) -> Pairs:
    """What looks made of clips, at most so many pictures of each look."""
    read, target = [], []
    for n, look in enumerate(looks):
        rows = batches.targets[batches.looks.index(look)]
        for clip, k in rows[:most]:
            read.append(features(batches.picture(int(clip), 1 + int(k))))
            target.append(tokens[n])
    return Pairs(np.stack(read), np.stack(target))


def made(model: Nano, batches: Batches, looks: Sequence[str], count: int, rng: np.random.Generator) -> Pairs:
    """What the shipped weights make of clips in one look, or in a blend of two."""
    read, target = [], []
    stream = model.stream()
    for _ in tqdm(range(count), "pictures"):
        clip = int(rng.integers(len(batches.places)))
        picked = rng.choice(len(looks), 2, replace=False)
        share = float(rng.choice((1.0, rng.uniform(0.3, 1.0))))
        names = [split(looks[n], Wish())[0] for n in picked]
        said = [each[int(rng.integers(min(NAMES_HEARD, len(each))))] for each in names]
        look = tuple((s, w) for s, w in zip(said, (share, 1 - share), strict=True) if w > 0)
        stream.start(look, int(rng.integers(2**31)))
        shown = stream.step(batches.picture(clip, 0)[None])[0]
        read.append(features(shown))
        target.append(blended([model.tokens(s) for s, _ in look], [w for _, w in look]))
    return Pairs(np.stack(read), np.stack(target))


def fit(pairs: Pairs, seed: int = 0) -> dict[str, F32]:
    """The numbers of `picture.Encoder`: tokens in the basis of their main directions, and two layers towards it."""
    torch.manual_seed(seed)
    mean, deviation = pairs.read.mean(0), pairs.read.std(0) + 1e-3
    flat = pairs.tokens.reshape(len(pairs.tokens), -1)
    middle = flat.mean(0)
    basis = np.linalg.svd(flat - middle, full_matrices=False)[2][:BASIS]
    x = torch.from_numpy(np.clip((pairs.read - mean) / deviation, -4, 4))
    y = torch.from_numpy((flat - middle) @ basis.T)
    spread = y.std()
    first, last = nn.Linear(x.shape[1], HIDDEN), nn.Linear(HIDDEN, len(basis))
    layers = nn.Sequential(first, nn.SiLU(), last)
    optimiser = torch.optim.AdamW(layers.parameters(), 2e-3, weight_decay=0.05)
    rate = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, STEPS)
    for _ in range(STEPS):
        rows = torch.randint(len(x), (256,))
        loss = F.mse_loss(layers(x[rows] + NOISE * torch.randn(len(rows), x.shape[1])), y[rows] / spread)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        rate.step()
    array = lambda t: t.detach().numpy().astype(np.float16)
    return {
        "mean": mean, "deviation": deviation, "middle": middle.astype(np.float16), "basis": basis.astype(np.float16),
        "shape": np.array(pairs.tokens.shape[1:], np.float32),
        "hidden.weight": array(first.weight), "hidden.bias": array(first.bias),
        "out.weight": array(last.weight * spread), "out.bias": array(last.bias * spread),
    }  # fmt: skip


def nearest(tokens: F32, looks: F32) -> int:
    """Which of the looks (L, S, cond) tokens (S, cond) are most like."""
    flat = looks.reshape(len(looks), -1)
    return int(np.argmax(flat @ tokens.reshape(-1) / np.linalg.norm(flat, axis=1)))


def known(painted_today: Sequence[str]) -> list[str]:
    """Looks that the shipped weights were trained on and that can be painted today, the camera's own left out."""
    return [look for look in weights.describe()["looks"].split(",") if look in painted_today and look != "original"]


def recognised(
    encode: Encoder, held: NDArray[np.uint8], every: Sequence[str], looks: Sequence[str], tokens: F32
) -> float:
    """Share of pictures of held-out clips whose tokens are nearest to those of the look that made them."""
    hits = [
        nearest(encode(np.array(clip[0, 1 + every.index(look)])), tokens) == n
        for clip in held
        for n, look in enumerate(looks)
    ]
    return float(np.mean(hits))


def train(model: Nano, batches: Batches, held: Path, count: int, path: Path = SHIPPED) -> dict[str, float]:
    """Fit, write the encoder and return its figures."""
    looks = known(batches.looks)
    tokens = heard(model, looks)
    parts = [painted(batches, looks, tokens, 60), made(model, batches, looks, count, np.random.default_rng(0))]
    pairs = Pairs(*(np.concatenate(column) for column in zip(*parts, strict=True)))
    fitted = fit(pairs)
    save_file({key: np.ascontiguousarray(value) for key, value in fitted.items()}, path)
    clips = np.load(held, mmap_mode="r")
    share = recognised(Encoder(fitted), clips, batches.looks, looks, tokens)
    return {"pictures": len(pairs.read), "looks": len(looks), "recognised": round(share, 3)}

"""Held-out figures and contact sheets of weights: PSNR against the teachers, seen and unseen phrases."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from reverie.models.config import NANO
from reverie.models.memory import Clip
from reverie.models.nano import fast_dtype, noise
from reverie.models.network import Network
from reverie.models.train.looks import paint
from reverie.models.train.looks.scene import frames as scene_of
from reverie.models.train.prompts import COMBINATIONS
from reverie.models.train.words import Words

Pictures = NDArray[np.uint8]  # (T, H, W, 3)
COLUMNS = "source", "seen", "unseen", "sharp", "motion"


class Painter:
    """A network on whole clips, for figures: the training traversal, in the dtype of use."""

    def __init__(self, network: Network) -> None:
        self.network = network.eval().requires_grad_(False)

    @torch.inference_mode()
    def __call__(self, clip: Pictures, words: Words, phrase: int) -> Pictures:
        states, mask = words.take([phrase])
        source = torch.from_numpy(clip.copy()).permute(0, 3, 1, 2).float() / 127.5 - 1
        x_t = noise(0, *clip.shape[1:3]).repeat(len(clip), 1, 1, 1)
        with torch.autocast("cpu", torch.bfloat16, enabled=fast_dtype() is torch.bfloat16):
            style = self.network.style(self.network.connector(states, mask), torch.ones(1)).repeat(len(clip))
            recall = [Clip(len(clip), NANO.recent) for _ in self.network.blocks]
            shown = self.network(source, x_t, style, recall)
        return ((shown.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()


def psnr(picture: Pictures, target: Pictures) -> float:
    """Decibels on 0..255; equal pictures give 99."""
    error = float(np.square(picture.astype(np.float64) - target).mean())
    return 99.0 if error == 0 else min(99.0, 10 * float(np.log10(255**2 / error)))


def spread(count: int, items: int) -> list[int]:
    """At most `items` places over a set of `count`, the first and the last among them."""
    return sorted({round(place) for place in np.linspace(0, count - 1, min(items, count))})


def passages(film: Pictures, items: int, frames: int = 6) -> list[Pictures]:
    """Stretches of a film (T, 1 + looks, H, W, 3) spread over it."""
    starts = spread(len(film) - frames + 1, items) if len(film) >= frames else [0]
    return [film[start : start + frames] for start in starts]


def figures(
    network: Network, clips: Sequence[Pictures], looks: Sequence[str], seen: Words, unseen: Words
) -> dict[str, dict[str, float]]:
    """Per look and in the mean: PSNR of the source itself, of seen and of unseen phrases, in dB; for seen phrases also
    the fine detail (`sharp`) and the change from frame to frame (`motion`) as shares of the target's: blur is below 1.

    Args:
        clips: (T, 1 + looks, H, W, 3) each, the source first; their last frames are compared.
    """
    painter, rng, rows = Painter(network), np.random.default_rng(0), {}
    for look, name in enumerate(looks):
        scores = []
        for clip in clips:
            source, target = clip[:, 0], clip[:, 1 + look]
            pick = lambda words: int(rng.integers(words.first[look], words.first[look + 1]))  # noqa: B023
            shown, other = (painter(source, words, pick(words)) for words in (seen, unseen))
            decibels = [psnr(picture[-1], target[-1]) for picture in (source, shown, other)]
            scores.append([*decibels, detail(shown) / detail(target), motion(shown) / motion(target)])
        rows[name] = dict(zip(COLUMNS, np.mean(scores, 0).round(2).tolist(), strict=True))
    rows["mean"] = {key: round(float(np.mean([row[key] for row in rows.values()])), 2) for key in COLUMNS}
    return rows


def combinations(network: Network, clips: Sequence[Pictures], words: Words) -> dict[str, float]:
    """PSNR of each combination of look and wishes that was held out whole, in dB.

    Args:
        clips: sources (T, H, W, 3).  words: phrases of the `COMBINATIONS`, in their order.
    """
    painter, rng, rows = Painter(network), np.random.default_rng(0), {}
    for n, (look, wish) in enumerate(COMBINATIONS):
        scores = []
        for clip in clips:
            target = paint(look, scene_of(clip, noise(0, *clip.shape[1:3]).numpy()[0]), wish)
            phrase = int(rng.integers(words.first[n], words.first[n + 1]))
            scores.append(psnr(painter(clip, words, phrase)[-1], target[-1]))
        asked = [str(v) for v in astuple(wish) if v not in ("", True, 1.0)] + ["no outlines"] * (not wish.outlines)
        rows[" ".join((look, *asked))] = round(float(np.mean(scores)), 2)
    return rows


def detail(clip: Pictures) -> float:
    """Mean difference of neighbouring pixels."""
    g = clip.mean(-1)
    return float(np.abs(np.diff(g, axis=-1)).mean() + np.abs(np.diff(g, axis=-2)).mean()) + 1e-6


def motion(clip: Pictures) -> float:
    """Mean difference of neighbouring frames."""
    return float(np.abs(np.diff(clip.astype(np.float32), axis=0)).mean()) + 1e-3


def sheet(
    network: Network, held: Pictures, looks: Sequence[str], words: Words, items: Sequence[int], path: Path
) -> None:
    """A PNG: for each item, a row of teachers and below it a row of answers; the source on the left."""
    painter, rows = Painter(network), []
    for item in items:
        clip = held[item]
        answers = [painter(clip[:, 0], words, int(words.first[look]))[-1] for look in range(len(looks))]
        rows.append(np.concatenate([clip[-1, 0], *clip[-1, 1:]], 1))
        rows.append(np.concatenate([clip[-1, 0], *answers], 1))
    whole = np.concatenate(rows)
    scale = min(1.0, 6000 / whole.shape[1])
    whole = cv2.resize(whole, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), cv2.cvtColor(whole, cv2.COLOR_RGB2BGR))

"""What a step of training asks of the network.

B clips of T frames are N = B * T pictures (3, Y, X) in [-1, 1].  One-step x0 prediction; L1 and VGG distance for faith,
Gram matrices against blur, frame differences for steadiness.  In half of the steps x_t carries the answer to the frame
before, the network's own or a worn one: the memory that patterns need to stick to a moving scene.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from reverie.models.config import NANO
from reverie.models.memory import Clip
from reverie.models.nano import fast_dtype
from reverie.models.network import Network
from reverie.models.train.batches import Batch
from reverie.models.train.perceptual import Perceptual
from reverie.models.train.words import Words

WINDOW = 96  # pixels; VGG sees one of each clip's last frame
HISTORY = 0.6  # timestep of a frame whose x_t carries the answer before it
RECALLED, PARTIAL = 0.5, 0.12  # shares of steps with such frames, and with partly denoised ones


class Clips(NamedTuple):
    """A batch as tensors."""

    source: Tensor  # (B, T, 3, Y, X) uint8
    target: Tensor
    noise: Tensor  # (B, 3, Y, X) float32
    variants: NDArray[np.int64]  # (B,)
    looks: NDArray[np.int64]


def clips(batch: Batch) -> Clips:
    tensor = lambda a: torch.from_numpy(np.ascontiguousarray(a)).permute(0, 1, 4, 2, 3)
    noise = torch.from_numpy(np.ascontiguousarray(batch.noise))
    return Clips(tensor(batch.source), tensor(batch.target), noise, batch.variants, batch.looks)


def step_losses(
    network: Network, guess: nn.Module, perceptual: Perceptual, words: Words, batch: Clips, rng: np.random.Generator
) -> tuple[dict[str, Tensor], Tensor]:
    """Weighted losses of one batch, and L1 of each clip (B,).

    Args: guess: (B, cond) to (B, looks); which look was asked, keeps the conditions apart.
    """
    count, frames = batch.source.shape[:2]
    flat = lambda x: x.flatten(0, 1).float() / 127.5 - 1
    clean, y = flat(batch.source), flat(batch.target)
    sensor = 0.06 * torch.rand(count, 1, 1, 1).repeat_interleave(frames, 0)
    x = clean + sensor * torch.randn_like(clean)
    noise = batch.noise.repeat_interleave(frames, 0)
    states, mask = words.draw(batch.variants, rng)
    with torch.autocast("cpu", torch.bfloat16, enabled=fast_dtype() is torch.bfloat16):
        tokens = network.connector(states, mask)
        picture = answer(network, tokens, x, y, noise, frames, rng)
        each = (picture - y).abs().flatten(1).mean(1)
        move = lambda z: z.unflatten(0, (count, frames)).diff(dim=1)
        flicker = (move(picture) - move(y)).abs().mean()
        rows, columns = (int(rng.integers(0, n - WINDOW + 1)) if n > WINDOW else 0 for n in x.shape[2:])
        window = (
            slice(frames - 1, None, frames),
            slice(None),
            slice(rows, rows + WINDOW),
            slice(columns, columns + WINDOW),
        )
        sharp, texture = perceptual(picture[window], y[window])
        named = F.cross_entropy(
            guess(network.connector.condition(tokens, torch.ones(count))).float(), torch.from_numpy(batch.looks)
        )
    losses = {
        "l1": each.mean(), "perceptual": 0.12 * sharp, "texture": 0.05 * texture, "flicker": 0.25 * flicker,
        "named": 0.02 * named,
    }  # fmt: skip
    return losses, each.detach().float().unflatten(0, (count, frames)).mean(1)


def answer(
    network: Network, tokens: Tensor, x: Tensor, y: Tensor, noise: Tensor, frames: int, rng: np.random.Generator
) -> Tensor:
    """Answers (N, 3, Y, X) to sources x: from pure noise, from the answer before, or from a partly denoised target."""

    def run(t: Tensor, x_t: Tensor) -> Tensor:
        """One step at timesteps (N,)."""
        recall = [Clip(frames, NANO.recent) for _ in network.blocks]
        style = network.style(tokens.repeat_interleave(frames, 0), t)
        return network(x, x_t, style, recall)

    pure, kind = torch.ones(len(x)), rng.random()
    if kind < RECALLED:
        with torch.no_grad():
            shown = run(pure, noise) if rng.random() < 0.6 else worn(y, rng)
        t = pure.unflatten(0, (-1, frames)).clone()
        t[:, 1:] = HISTORY
        t = t.flatten()
        before = shown.clamp(-1, 1).unflatten(0, (-1, frames)).roll(1, 1).flatten(0, 1)
        return run(t, noised(before, noise, t))
    if kind < RECALLED + PARTIAL:
        t = (0.25 + 0.6 * torch.rand(len(tokens))).repeat_interleave(frames)
        with torch.no_grad():
            towards = run(pure, noise).clamp(-1, 1) if rng.random() < 0.5 else y
        return run(t, noised(towards, noise, t))
    return run(pure, noise)


def noised(picture: Tensor, noise: Tensor, t: Tensor) -> Tensor:
    """Pictures (N, 3, Y, X) on the way to noise, 1 is pure noise."""
    share = t[:, None, None, None]
    return (1 - share) * picture + share * noise


def worn(y: Tensor, rng: np.random.Generator) -> Tensor:
    """Targets as a tired memory holds them: softer, shifted in brightness, noisy."""
    soft = F.avg_pool2d(y, 3, 1, 1) if rng.random() < 0.5 else y
    return soft * rng.uniform(0.85, 1.1) + rng.uniform(-0.08, 0.08) + rng.uniform(0, 0.15) * torch.randn_like(y)

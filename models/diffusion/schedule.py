"""The few timesteps of a distilled model, with their coefficients.  N denoising steps."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

STRONGEST = 0.7  # share of the noise at strength 1: with more, the camera's picture is no longer followed


class Schedule(NamedTuple):
    """Coefficients of x_t = signal * x0 + noise * e, and of the answer: x0 = skip * x_t + out * prediction."""

    timesteps: Tensor  # (N,) int64, falling
    signal: Tensor  # (N, 1, 1, 1)
    noise: Tensor  # (N, 1, 1, 1)
    skip: Tensor  # (N, 1, 1, 1)
    out: Tensor  # (N, 1, 1, 1)
    velocity: bool  # the network predicts v instead of e

    def only(self, step: int) -> Schedule:
        """Of one step alone."""
        at = slice(step, step + 1)
        return Schedule(self.timesteps[at], self.signal[at], self.noise[at], self.skip[at], self.out[at], self.velocity)

    def clean(self, x: Tensor, predicted: Tensor) -> Tensor:
        """x0 of noisy latents (N, C, Y, X) and what the network said of them."""
        x0 = self.signal * x - self.noise * predicted if self.velocity else (x - self.noise * predicted) / self.signal
        return self.skip * x + self.out * x0

    def noisy(self, x0: Tensor, noise: Tensor, first: int = 0) -> Tensor:
        """Latents at the timesteps from `first` on."""
        return self.signal[first:] * x0 + self.noise[first:] * noise[first:]


def schedule(scheduler: Any, steps: int, strength: float, dtype: torch.dtype, device: str) -> Schedule:
    """Evenly spaced timesteps of a diffusers scheduler.

    Args:
        scheduler: of discrete steps, with `alphas_cumprod`; LCMScheduler has boundary scalings as well.
        strength: 0 (not included) to 1, the share of STRONGEST that the first step begins with.
    """
    length = len(scheduler.alphas_cumprod)
    start = strength * STRONGEST * (length - 1)
    timesteps = torch.tensor([max(1, round(start * (1 - i / steps))) for i in range(steps)])
    kept = scheduler.alphas_cumprod.double()[timesteps]
    skip, out = torch.zeros(steps), torch.ones(steps)
    if type(scheduler).__name__ == "LCMScheduler":
        scaled = timesteps.double() * scheduler.config.timestep_scaling
        skip, out = 0.25 / (scaled**2 + 0.25), scaled / (scaled**2 + 0.25).sqrt()
    column = lambda x: x.to(dtype).to(device)[:, None, None, None]
    velocity = scheduler.config.prediction_type == "v_prediction"
    return Schedule(
        timesteps.to(device), column(kept.sqrt()), column((1 - kept).sqrt()), column(skip), column(out), velocity
    )

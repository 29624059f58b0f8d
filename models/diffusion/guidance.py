"""Residual guidance: away from what the network would say without the prompt, without asking it again.

Source: arXiv 2312.12491 (StreamDiffusion), section 3.2.  The network without a prompt is taken to lead from x_t back to
an anchor: the camera's own latents, or what a negative prompt made of the first step.
"""

from __future__ import annotations

from torch import Tensor

from reverie.models.diffusion.schedule import Schedule


def residual(plan: Schedule, x: Tensor, anchor: Tensor) -> Tensor:
    """The noise (or velocity) that would lead from x (N, C, Y, X) to the anchor."""
    noise = (x - plan.signal * anchor) / plan.noise
    return plan.signal * noise - plan.noise * anchor if plan.velocity else noise


def flow(x: Tensor, time: float, velocity: Tensor, anchor: Tensor, scale: float) -> Tensor:
    """The same of a model of flow: x (1, ...) is (1 - time) clean + time noise, its velocity noise less clean."""
    without = (x - anchor) / time
    return without + scale * (velocity - without)


def guided(plan: Schedule, x: Tensor, predicted: Tensor, anchor: Tensor, scale: float) -> Tensor:
    """The prediction, `scale` times as far from the residual; 1 leaves it as it is, bit for bit."""
    if scale == 1:
        return predicted
    without = residual(plan, x, anchor)
    return without + scale * (predicted - without)

"""Muon for the hidden matrices, AdamW for the rest.

Everything fed by the prompt's condition learns ten times slower: at the full rate a unit-size condition moves the
colour matrix by 0.4 a step and all looks become grades (measured; DESIGN.md, training).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from reverie.models.nano import fast_dtype

CONDITION = ("connector.", "film.", "modulation.", "colour.")
EDGE = ("encoder.stem.", "head.", "patch.")


class Muon(torch.optim.Optimizer):
    """Orthogonalised momentum, step size matched to Adam's RMS.

    Source: Jordan et al., "Muon: an optimizer for hidden layers" (2024); RMS matching from arXiv 2502.16982.
    """

    def __init__(
        self, params: list[nn.Parameter], lr: float, momentum: float = 0.95, weight_decay: float = 0.01
    ) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            for p in group["params"]:
                momentum = self.state[p].setdefault("momentum", torch.zeros_like(p))
                momentum.lerp_(p.grad, 1 - group["momentum"])
                rows = p.shape[0]
                update = orthogonal(p.grad.lerp(momentum, group["momentum"]).reshape(rows, -1))
                scale = 0.2 * max(rows, p.numel() // rows) ** 0.5
                p.mul_(1 - group["lr"] * group["weight_decay"])
                p.add_(update.reshape(p.shape).to(p.dtype), alpha=-group["lr"] * scale)


def orthogonal(x: Tensor) -> Tensor:
    """Nearest semi-orthogonal matrix, roughly: five quintic Newton-Schulz steps in the CPU's fastest dtype."""
    u = x.to(fast_dtype())
    tall = u.shape[0] > u.shape[1]
    u = u.T if tall else u
    u = u / (u.norm() + 1e-7)
    for _ in range(5):
        a = u @ u.T
        u = 3.4445 * u + (-4.7750 * a + 2.0315 * a @ a) @ u
    return u.T if tall else u


def optimisers(network: nn.Module, lr: float) -> list[torch.optim.Optimizer]:
    """Muon and AdamW over all parameters; a group's `rate` multiplies the scheduled learning rate."""
    hidden: list[nn.Parameter] = []
    slow: list[nn.Parameter] = []
    rest: list[nn.Parameter] = []
    for name, p in network.named_parameters():
        matrix = p.ndim > 1 and name.endswith("weight")
        if name.startswith(CONDITION) or ".style." in name:
            (slow if matrix else rest).append(p)
        elif matrix and not name.startswith(EDGE):
            hidden.append(p)
        else:
            rest.append(p)
    adam = torch.optim.AdamW(
        [{"params": rest, "rate": 1.0}, {"params": slow, "rate": 0.1}],
        lr=lr, betas=(0.9, 0.98), weight_decay=0.0, foreach=True,
    )  # fmt: skip
    return [Muon(hidden, lr), adam]

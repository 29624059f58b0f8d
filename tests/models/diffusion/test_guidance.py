"""Residual guidance: what must hold by its definition."""

import diffusers
import pytest
import torch

from reverie.models.diffusion.guidance import guided, residual
from reverie.models.diffusion.schedule import schedule


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction"])
def test_identities(prediction: str) -> None:
    plan = schedule(diffusers.DDIMScheduler(prediction_type=prediction), 3, 1.0, torch.float64, "cpu")
    source, noise, answer, other = torch.randn(4, 3, 4, 8, 8, dtype=torch.float64)
    x = plan.noisy(source, noise)
    assert torch.allclose(plan.clean(x, residual(plan, x, source)), source)  # it leads back to the anchor
    if not plan.velocity:
        assert torch.allclose(residual(plan, x, source), noise)  # the first step's residual is the noise put in
    assert guided(plan, x, answer, source, 1.0) is answer
    assert torch.allclose(guided(plan, x, answer, source, 0.0), residual(plan, x, source))
    anchor = plan.clean(x, other)  # of a negative prompt: one step of it is full guidance
    assert torch.allclose(guided(plan, x, answer, anchor, 1.7), other + 1.7 * (answer - other))

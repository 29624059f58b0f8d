"""Coefficients against the schedulers of diffusers."""

import diffusers
import pytest
import torch

from reverie.models.diffusion.schedule import STRONGEST, schedule


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction"])
def test_one_step_is_the_ddim_scheduler_s(prediction: str) -> None:
    scheduler = diffusers.DDIMScheduler(prediction_type=prediction, clip_sample=False)
    plan = schedule(scheduler, 3, 1.0, torch.float64, "cpu")
    scheduler.set_timesteps(1000)
    x, answer = torch.randn(2, 3, 4, 8, 8, dtype=torch.float64)
    for i, t in enumerate(plan.timesteps):
        expected = scheduler.step(answer[i : i + 1], int(t), x[i : i + 1]).pred_original_sample
        assert torch.allclose(plan.clean(x, answer)[i : i + 1], expected, atol=1e-5)
        noisy = scheduler.add_noise(x[i : i + 1], answer[i : i + 1], t[None])
        assert torch.allclose(plan.noisy(x, answer)[i : i + 1], noisy, atol=1e-5)


def test_one_step_is_the_lcm_scheduler_s() -> None:
    scheduler = diffusers.LCMScheduler()
    scheduler.set_timesteps(4)
    t = scheduler.timesteps[1]
    plan = schedule(scheduler, 1, float(t) / 999 / STRONGEST, torch.float64, "cpu")
    assert plan.timesteps.tolist() == [int(t)]
    x, answer = torch.randn(2, 1, 4, 8, 8, dtype=torch.float64)
    assert torch.allclose(plan.clean(x, answer), scheduler.step(answer, t, x).denoised, atol=1e-5)


def test_strength_sets_the_first_step() -> None:
    scheduler = diffusers.LCMScheduler()
    first = [int(schedule(scheduler, 4, s, torch.float32, "cpu").timesteps[0]) for s in (0.1, 0.5, 1.0)]
    assert first == [70, 350, 699]

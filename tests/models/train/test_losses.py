"""What a step asks of the network."""

import numpy as np
import torch
from torch import Tensor, nn

from reverie.models.config import NANO
from reverie.models.network import Network
from reverie.models.train import losses
from reverie.models.train.batches import Batch


class Asks(nn.Module):
    """A network that remembers the timesteps and x_t it was given and answers with the frame's number."""

    blocks = (0, 0)

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[Tensor, Tensor]] = []

    def style(self, tokens: Tensor, t: Tensor) -> Tensor:
        return t

    def forward(self, x: Tensor, x_t: Tensor, style: Tensor, recall: object) -> Tensor:
        self.seen.append((style, x_t))
        return torch.arange(len(x))[:, None, None, None].float() / 10 + 0 * x


class Kind:
    """Fixed draws."""

    def __init__(self, *draws: float) -> None:
        self.draws = list(draws)

    def random(self) -> float:
        return self.draws.pop(0)


def ask(*draws: float) -> Asks:
    network, x = Asks(), torch.zeros(4, 3, 32, 32)
    noise = torch.full_like(x, 8.0)
    losses.answer(network, torch.zeros(2, 16, 256), x, x + 0.5, noise, 2, Kind(*draws))  # type: ignore[arg-type]
    return network


def test_most_steps_start_from_noise() -> None:
    ((t, x_t),) = ask(0.99).seen
    assert (t == 1).all() and (x_t == 8).all()


def test_a_recalled_frame_carries_the_answer_before_it_but_the_first_frame_is_noise() -> None:
    (_, first), (t, x_t) = ask(0.0, 0.0).seen
    assert (first == 8).all()
    assert torch.equal(t, torch.tensor([1, losses.HISTORY] * 2))
    share = losses.HISTORY
    assert (x_t[::2] == 8).all()
    assert torch.allclose(x_t[1::2].mean((1, 2, 3)), (1 - share) * torch.tensor([0.0, 0.2]) + share * 8)


def test_partly_denoised_targets_are_between_target_and_noise() -> None:
    ((t, x_t),) = ask(losses.RECALLED + 0.01, 0.9).seen
    assert t[0] == t[1] and 0.25 <= float(t.min()) <= float(t.max()) <= 0.85
    assert torch.allclose(x_t[:, 0, 0, 0], (1 - t) * 0.5 + t * 8)


def test_a_step_gives_all_losses_and_reaches_every_part_of_the_network() -> None:
    torch.manual_seed(0)
    network, guess, rng = Network(NANO), nn.Linear(NANO.cond, 3), np.random.default_rng(0)

    class Phrases:
        def draw(self, variants: object, rng: object) -> tuple[Tensor, Tensor]:
            return torch.randn(2, 3, NANO.llm_width * 2), torch.ones(2, 3, dtype=torch.bool)

    class Flat(nn.Module):
        def forward(self, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
            return (a - b).abs().mean(), (a - b).square().mean()

    clip = rng.integers(0, 256, (2, 3, 32, 32, 3), np.uint8)
    grain = rng.standard_normal((2, 3, 32, 32)).astype(np.float32)
    batch = losses.clips(Batch(clip, 255 - clip, grain, np.array([4, 5]), np.array([1, 2])))
    found, each = losses.step_losses(network, guess, Flat(), Phrases(), batch, rng)  # type: ignore[arg-type]
    assert set(found) == {"l1", "perceptual", "texture", "flicker", "named"} and each.shape == (2,)
    sum(found.values(), torch.zeros(())).backward()
    assert not [name for name, p in (*network.named_parameters(), *guess.named_parameters()) if p.grad is None]

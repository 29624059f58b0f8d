"""The training loop on a tiny set: it learns, stops and goes on."""

import itertools
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from reverie.models import weights
from reverie.models.config import NANO
from reverie.models.train import fit, losses
from reverie.models.train.batches import Batch

pytestmark = pytest.mark.timeout(900)  # it trains the whole network, which is slow without AVX512


class Inverting:
    """Batches of one look that inverts, and one that changes nothing."""

    looks = ("invert", "original")

    def __init__(self) -> None:
        self.weights, self.rng = np.ones(2), np.random.default_rng(0)

    def __iter__(self) -> Iterator[Batch]:
        while True:
            coarse = self.rng.integers(0, 256, (2, 1, 4, 4, 3), np.uint8)
            source = coarse.repeat(3, 1).repeat(8, 2).repeat(8, 3)
            noise = self.rng.standard_normal((2, 3, 32, 32)).astype(np.float32)
            yield Batch(source, np.stack([255 - source[0], source[1]]), noise, np.array([0, 1]), np.array([0, 1]))


class Phrases:
    """Two phrases whose states are noise."""

    first = np.array([0, 1, 2])

    def __init__(self) -> None:
        width = NANO.llm_width * len(NANO.llm_layers)
        self.states = torch.randn(2, 3, width, generator=torch.Generator().manual_seed(0))

    def draw(self, looks: Any, rng: Any) -> tuple[torch.Tensor, torch.Tensor]:
        return self.take(looks)

    def take(self, phrases: Any, noise: float = 0.0) -> tuple[torch.Tensor, torch.Tensor]:
        return self.states[list(phrases)], torch.ones(len(phrases), 3, dtype=torch.bool)


class Flat(torch.nn.Module):
    """No perceptual loss; tells the training to stop once so many steps were made."""

    def __init__(self, stop_after: int = -1) -> None:
        super().__init__()
        self.steps, self.stop_after = itertools.count(1), stop_after

    def forward(self, pictures: torch.Tensor, targets: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        if next(self.steps) == self.stop_after:
            os.kill(os.getpid(), signal.SIGTERM)
        return (pictures - targets).abs().mean(), torch.zeros(())


def run(folder: Path, minutes: float) -> fit.Run:
    return fit.Run("tiny", folder, minutes, batch=2, size=(32, 32), rate=2e-3, seed=0, threads=1)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    fit.fit(run(folder, 60), Inverting(), Phrases(), Flat(stop_after=25))  # type: ignore[arg-type]
    return folder


def test_training_learns(trained: Path) -> None:
    batches, trainer = Inverting(), fit.Trainer(2, run(trained, 1))
    batch = losses.clips(next(iter(batches)))

    def loss() -> float:
        rng = np.random.default_rng(0)
        torch.manual_seed(0)
        found, _ = losses.step_losses(trainer.network, trainer.guess, Flat(), Phrases(), batch, rng)  # type: ignore[arg-type]
        return float(found["l1"].detach())

    fresh = loss()
    trainer.resume(torch.load(trained / "tiny.pt", weights_only=True))
    assert trainer.step == 25
    assert loss() < 0.8 * fresh


def test_a_run_goes_on_from_its_checkpoint(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = torch.load(trained / "tiny.pt", weights_only=True)
    fit.fit(run(trained, before["seconds"] / 60 + 0.02), Inverting(), Phrases(), Flat())  # type: ignore[arg-type]
    after = torch.load(trained / "tiny.pt", weights_only=True)
    assert f"goes on from step {before['step']}" in capsys.readouterr().out
    assert after["step"] > before["step"] and after["seconds"] > before["seconds"]


def test_a_new_run_may_begin_with_another_run_of_other_looks(trained: Path) -> None:
    begun = fit.Trainer(5, run(trained, 1))
    begun.begin(trained / "tiny.pt")
    kept = torch.load(trained / "tiny.pt", weights_only=True)["ema"]
    assert all(torch.equal(begun.network.state_dict()[name], value) for name, value in kept.items())
    assert begun.step == 0 and len(begun.difficulty) == 5


def test_a_new_run_may_begin_with_the_shipped_weights(tmp_path: Path) -> None:
    begun = fit.Trainer(5, run(tmp_path, 1))
    begun.begin(weights.SHIPPED)
    assert all(
        torch.equal(begun.ema.state_dict()[name], value) for name, value in weights.load(weights.SHIPPED).items()
    )


def test_harder_looks_are_noted() -> None:
    trainer = fit.Trainer(3, run(Path(), 1))
    for _ in range(50):
        trainer.note(np.array([0, 2]), torch.tensor([0.5, 0.01]))
    assert trainer.difficulty[0] > 3 > 1 == trainer.difficulty[1] > 0.6 > trainer.difficulty[2]


def test_the_rate_warms_up_holds_and_falls() -> None:
    assert fit.schedule(0, 0) < 0.02
    assert fit.schedule(1000, 0.1) == fit.schedule(1000, 0.7) == 1
    assert fit.schedule(1000, 0.85) == pytest.approx(0.5)
    assert fit.schedule(1000, 1.0) == 0.02

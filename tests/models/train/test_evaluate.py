"""Figures and contact sheets of weights."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from reverie.models.config import NANO
from reverie.models.network import Network
from reverie.models.train import evaluate
from reverie.models.train.looks.scene import Wish


class Phrases:
    """A phrase per look, its states noise."""

    first = np.array([0, 1, 2])

    def take(self, phrases: Any, noise: float = 0.0) -> tuple[torch.Tensor, torch.Tensor]:
        width = NANO.llm_width * len(NANO.llm_layers)
        states = torch.randn(2, 3, width, generator=torch.Generator().manual_seed(0))
        return states[list(phrases)], torch.ones(len(phrases), 3, dtype=torch.bool)


def test_psnr() -> None:
    black = np.zeros((4, 4, 3), np.uint8)
    assert evaluate.psnr(black, black) == 99
    assert evaluate.psnr(black, black + 255) == 0
    assert evaluate.psnr(black, black + 1) == pytest.approx(48.13, abs=0.01)


def test_detail_and_motion() -> None:
    clip = np.zeros((3, 8, 8, 3), np.uint8)
    striped = clip.copy()
    striped[:, :, ::2] = 100
    assert evaluate.detail(striped) == pytest.approx(100, abs=0.1)
    assert evaluate.detail(clip) < 1e-3
    clip[1] = 30
    assert evaluate.motion(clip) == pytest.approx(30, abs=0.1)
    assert evaluate.motion(striped) < 0.01


def test_combinations_are_compared_with_what_their_look_makes(monkeypatch: pytest.MonkeyPatch) -> None:
    clip = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3), np.uint8)
    monkeypatch.setattr(evaluate, "COMBINATIONS", (("thermal", Wish()), ("oil", Wish(colour="blue", strength=0.5))))
    shown = evaluate.paint("thermal", evaluate.scene_of(clip, evaluate.noise(0, 64, 64).numpy()[0]))
    monkeypatch.setattr(evaluate, "Painter", lambda network: lambda clip, words, phrase: shown)
    rows = evaluate.combinations(Network(NANO), [clip], Phrases())  # type: ignore[arg-type]
    assert rows["thermal"] == 99 and rows["oil blue 0.5"] < 20


def test_items_are_spread_over_the_whole_set() -> None:
    assert evaluate.spread(36, 6) == [0, 7, 14, 21, 28, 35]
    assert evaluate.spread(3, 6) == [0, 1, 2]
    film = np.arange(48)[:, None]
    assert [(int(p[0, 0]), len(p)) for p in evaluate.passages(film, 3)] == [(0, 6), (21, 6), (42, 6)]
    assert len(evaluate.passages(film[:4], 3)) == 1


def test_figures_and_sheets(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network, words = Network(NANO), Phrases()
    source = np.random.default_rng(0).integers(0, 256, (1, 3, 32, 32, 3), np.uint8)
    held = np.stack([source, 255 - source, source], 2)
    rows = evaluate.figures(network, held, ("invert", "original"), words, words)  # type: ignore[arg-type]
    assert set(rows) == {"invert", "original", "mean"}
    assert rows["mean"]["sharp"] > 0 < rows["mean"]["motion"]
    assert rows["original"]["source"] == 99.0 > rows["original"]["seen"] > rows["invert"]["seen"]
    evaluate.sheet(network, held, ("invert", "original"), words, [0], tmp_path / "sheet.png")  # type: ignore[arg-type]
    assert (tmp_path / "sheet.png").stat().st_size > 1000

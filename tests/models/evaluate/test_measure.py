"""Every figure of the list, of the shipped weights on small clips."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from skimage import data

from reverie.models import nano, nano_kernel
from reverie.models.evaluate import measure

LOOK, PHRASE = "thermal", "thermal camera"
FIGURES = {
    "recognised", "recognised_unseen", "teacher_recognised", "psnr_db", "source_psnr_db", "unseen_psnr_db",
    "seen_psnr_db", "perceptual", "sharpness", "warp_error", "warp_error_by_teacher",
    "warp_error_by_source_and_gradient", "still_flicker", "noisy_flicker", "noise_of_input", "animated",
    "cut_recovered_frames", "strength_monotone", "float32_gain_db",
}  # fmt: skip


class Recogniser:
    """By the mean colour alone."""

    def share(self, pictures: np.ndarray, look: str) -> float:
        return float(np.mean([picture[..., 2].mean() > picture[..., 0].mean() for picture in pictures]))


@pytest.fixture(scope="module")
def tools() -> measure.Tools:
    loaded = nano.load()
    exact = nano.Nano(loaded.network, loaded._llm, 1, torch.float32)
    distance = lambda a, b: ((a - b).abs().mean(), torch.tensor(0.0))
    return measure.Tools(nano_kernel.load(), exact, lambda picture, sure=0.6: [], Recogniser(), distance)  # type: ignore[arg-type]


def clip(step: int) -> np.ndarray:
    return np.stack([data.astronaut()[40 : 40 + 96, 150 + step * n : 150 + step * n + 160] for n in range(4)])


def test_every_figure_is_there_and_answers_to_the_look(tools: measure.Tools) -> None:
    row, shown = measure.look_figures(tools, LOOK, PHRASE, ["infrared heat map"], [clip(2), clip(5)])
    assert set(row) == FIGURES  # and none of faces, as none was found
    assert [each.shape for each in shown] == [(4, 96, 160, 3)] * 2
    assert 0 <= row["recognised"] <= 1 and row["psnr_db"] > 5
    assert row["strength_monotone"] and row["cut_recovered_frames"] <= 4
    assert row["still_flicker"] < row["noisy_flicker"] and abs(row["float32_gain_db"]) < 2


def test_the_same_clip_gives_the_same_figures_and_no_drift(tools: measure.Tools) -> None:
    first, second = (measure.drift(tools, LOOK, PHRASE, clip(2), 12) for _ in range(2))
    assert first == second
    assert first["colour"] < 0.05


def test_figures_of_a_stopped_run_count_only_for_the_same_weights_and_options(tmp_path: Path) -> None:
    path, of, rows = tmp_path / "figures.json", {"weights": {"name": "nano"}, "quick": True}, {"oil": {"psnr_db": 30.0}}
    assert measure.so_far(path, of) == {}
    path.write_text(json.dumps({"of": of, "looks": rows}))
    assert measure.so_far(path, of) == rows
    assert measure.so_far(path, of | {"quick": False}) == {}

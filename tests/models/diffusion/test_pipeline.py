"""Pipelines from folders."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from reverie.models.diffusion import pipeline
from reverie.models.diffusion.network import load


def named(file: Path, **entries: object) -> None:
    file.write_text(json.dumps(json.loads(file.read_text()) | entries))


def test_a_checkpoint_of_self_forcing_loads_though_diffusers_knows_none_of_its_classes(
    wan: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(wan, tmp_path / "tiny-self-forcing"))
    named(
        folder / "model_index.json", _class_name="WanCausalDMDPipeline",
        transformer=["diffusers", "CausalWanTransformer3DModel"],
        scheduler=["diffusers", "SelfForcingFlowMatchScheduler"],
    )  # fmt: skip
    named(folder / "transformer" / "config.json", _class_name="CausalWanTransformer3DModel", sink_size=0)
    named(folder / "scheduler" / "scheduler_config.json", _class_name="SelfForcingFlowMatchScheduler", shift=5.0)
    frames, shown = np.random.default_rng(0).integers(0, 256, (1, 32, 48, 3), np.uint8), []
    for path in (wan, folder):
        stream = load(path, "cpu").stream()
        stream.start("fox", seed=1)
        shown.append(stream.step(frames))
    assert np.array_equal(*shown) and shown[0].std() > 1


def test_a_pipeline_that_is_not_in_diffusers_is_one_sentence(turbo: Path) -> None:
    with pytest.raises(ValueError, match="StableDiffusionMinePipeline is not known to diffusers"):
        pipeline.read(turbo, "StableDiffusionMinePipeline", torch.float32)

"""From a checkpoint to weights that say what they are."""

from pathlib import Path

import torch

from reverie.models.train import export, fit
from reverie.models.weights import describe, load


def test_a_checkpoint_becomes_weights_that_say_what_they_are(tmp_path: Path) -> None:
    run = fit.Run("fresh", tmp_path, 1, batch=1, size=(32, 32), rate=1e-3, seed=0, threads=1)
    trainer = fit.Trainer(2, run)
    trainer.step, trainer.seconds = 7, 180.0
    fit.save(trainer, run)
    path = tmp_path / "fresh.safetensors"
    said = export.export(run.checkpoint, ["invert", "original"], path)
    assert said == describe(path)
    assert (said["looks"], said["steps_trained"], said["minutes_trained"]) == ("invert,original", "7", "3")
    network, _ = export.averaged(run.checkpoint)
    assert 8 < float(said["gop_per_frame"]) <= 16
    for name, tensor in network.state_dict().items():
        torch.testing.assert_close(load(path)[name], tensor, rtol=1e-3, atol=1e-4)

"""Models on the command line as a user meets them."""

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from reverie.server.cli import main


def test_models_lists_what_is_here_and_what_can_be_had(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("REVERIE_DATA", str(tmp_path))
    assert main(["models", "--json"]) == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)["models"]}
    known = {"name", "here", "params_millions", "gop_per_frame", "resolution", "vram_gb", "licence", "commercial_use"}
    assert all(set(row) == {*known, "speed"} for row in rows.values())
    assert rows["nano"]["here"] and not rows["sd-turbo"]["here"]
    assert rows["nano"]["commercial_use"] and rows["sd-turbo"]["commercial_use"] is False
    assert main(["models"]) == 0
    (line,) = (line for line in capsys.readouterr().out.splitlines() if line.startswith("sd-turbo"))
    assert "3.2 GB" in line and "not for commercial use" in line and "60 fps" in line


def test_a_model_that_was_pulled_is_served_by_its_name_and_its_licence_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("REVERIE_DATA", str(tmp_path / "data"))
    assert main(["serve", "--model", "sd-turbo"]) == 2
    assert "sd-turbo is not here: `reverie models pull sd-turbo`" in capsys.readouterr().err
    origin = tmp_path / "origin"
    for part in ("text_encoder", "unet", "vae"):
        (origin / part).mkdir(parents=True)
        save_file({"x": np.zeros(2, np.float32)}, origin / part / "model.safetensors")
    (origin / "model_index.json").write_text('{"_class_name": "StableDiffusionPipeline"}')
    assert main(["models", "pull", "sd-turbo", "--from", str(origin), "--json"]) == 0
    shown = capsys.readouterr()
    folder = tmp_path / "data" / "models" / "sd-turbo"
    expected = {"name": "sd-turbo", "folder": str(folder), "licence": "sai-nc-community"}
    assert json.loads(shown.out) == expected
    assert "may not be used commercially" in shown.err and "fetching unet/model.safetensors" in shown.err
    assert main(["models", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["models"][1]["here"]
    served: list[str] = []
    monkeypatch.setattr("reverie.server.serve.serve", lambda settings, *_: served.append(settings.model_source))
    assert main(["serve", "--model", "sd-turbo", "--port", "0"]) == 0
    assert served == [str(folder)]
    assert "sai-nc-community: it may not be used commercially" in capsys.readouterr().err

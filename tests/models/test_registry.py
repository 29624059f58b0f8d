"""Names of models."""

import importlib.machinery
import importlib.util
import subprocess
import sys
import types

import pytest
import torch

from reverie.models import registry


def test_unknown_names_are_refused_with_those_that_exist() -> None:
    with pytest.raises(ValueError, match="no model 'none'; there is nano"):
        registry.load("none")


def test_a_device_it_cannot_run_on_is_refused() -> None:
    with pytest.raises(ValueError, match="not on 'abacus'"):
        registry.load("nano", "abacus")


def test_without_a_neuron_device_one_sentence_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    if importlib.util.find_spec("torch_neuronx"):
        pytest.skip("torch-neuronx is installed")
    with pytest.raises(ValueError, match="needs AWS's torch-neuronx and a Neuron device, and there is none here"):
        registry.load("nano", "neuron")


def test_with_torch_neuronx_frames_go_through_its_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stand-ins for the package and for the compiler: how it is reached, not what it does."""
    asked = []
    stand_in = types.ModuleType("torch_neuronx")
    stand_in.__spec__ = importlib.machinery.ModuleSpec("torch_neuronx", None)
    monkeypatch.setitem(sys.modules, "torch_neuronx", stand_in)
    monkeypatch.setattr(torch, "compile", lambda function, backend: asked.append(backend) or function)
    encoder = types.SimpleNamespace(compile=lambda backend: asked.append(backend))
    frames = types.SimpleNamespace(encoder=encoder, decode=len)
    monkeypatch.setattr("reverie.models.nano.load", lambda llm: types.SimpleNamespace(frames=frames))
    assert registry.load("nano", "neuron").frames is frames
    assert asked == ["neuron", "neuron"]


def test_listing_models_needs_no_torch() -> None:
    text = "import sys; from reverie.models import registry; registry.describe(); print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", text], capture_output=True, text=True).stdout.strip() == "False"

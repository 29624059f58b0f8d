"""Names of models."""

import importlib.machinery
import importlib.util
import subprocess
import sys
import types

import pytest
import torch

from reverie.kernels.cuda import pool
from reverie.kernels.cuda.driver import Card
from reverie.kernels.cuda.pool import GpuPool
from reverie.models import nano_kernel, registry
from reverie.models.device import Device


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


def test_without_a_gpu_the_reason_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def gpu() -> GpuPool:
        raise RuntimeError("there is no GPU 0")

    monkeypatch.setattr(pool, "LIBRARY", "libnone.so")
    with pytest.raises(
        ValueError, match=r"device cuda: there is no NVIDIA driver here \(libnone.so cannot be loaded\)"
    ):
        registry.check("nano", "cuda")
    monkeypatch.setattr(pool, "missing", lambda: "")
    monkeypatch.setattr(pool, "gpu", gpu)
    with pytest.raises(ValueError, match="device cuda: there is no GPU 0"):
        registry.load("nano", "cuda")


def test_the_gpu_makes_the_frames_and_the_llm_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = types.SimpleNamespace(card=Card("H100", 90, 132))
    monkeypatch.setattr(pool, "missing", lambda: "")
    monkeypatch.setattr(pool, "gpu", lambda: GpuPool(driver, b"kernel"))  # type: ignore[arg-type]
    model = registry.load("nano", "cuda")
    assert isinstance(model, nano_kernel.Nano)
    assert (model.device.pool.path, model.device.pool.workers, model._llm.device.pool.path) == (
        "cuda", 132, Device(1).pool.path,
    )  # fmt: skip

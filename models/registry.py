"""Model names and what is behind them; nothing heavy is imported before it is loaded."""

from __future__ import annotations

import importlib
import importlib.util
from pathlib import Path
from typing import Any

from reverie.models import weights
from reverie.models.stream import Model

NAMES = ("nano", "toy")
DEVICES = ("cpu", "torch", "neuron")  # our kernels; PyTorch, for comparison; PyTorch with torch-neuronx
DIFFUSION_DEVICES = ("cpu", "cuda", "neuron")  # of folders that diffusers saved


def load(name: str = "nano", device: str = "cpu", llm: str | None = None, cpu: str = "", skip: float = 0.0) -> Model:
    """Load a model.

    Args:
        name: nano, or a local folder that diffusers saved.
        llm: where its LLM comes from (see reverie.models.checkpoint.read); None is the installed package.
        cpu: one of reverie.kernels.machine.paths(), "" for the quickest.
        skip: what differs less than this from the frame before (levels of 255) is not made again; 0 is exact.
    Raises: ValueError on an unknown name or device; FileNotFoundError if its weights or its LLM are missing.
    """
    check(name, device)
    if name not in NAMES:
        network: Model = importlib.import_module("reverie.models.diffusion.network").load(
            Path(name).expanduser(), device, llm, skip
        )
        return network
    model: Model
    if name == "toy":
        model = importlib.import_module("reverie.models.toy").ToyModel()
    elif device == "torch":
        model = importlib.import_module("reverie.models.nano").load(llm)
    elif device == "neuron":
        model = _on_neuron(llm)
    else:
        model = importlib.import_module("reverie.models.nano_kernel").load(llm, cpu=cpu, skip=skip)
    return model


def _on_neuron(llm: str | None) -> Model:
    """`nano` through torch.compile's backend for Neuron devices."""
    importlib.import_module("torch_neuronx")
    model: Any = importlib.import_module("reverie.models.nano").load(llm)
    torch, frames = importlib.import_module("torch"), model.frames
    frames.encoder.compile(backend="neuron")
    frames.decode = torch.compile(frames.decode, backend="neuron")
    found: Model = model
    return found


def check(name: str, device: str) -> None:
    """Raises ValueError if there is no model of that name, or it does not run on that device here."""
    if name in NAMES:
        if device not in DEVICES:
            raise ValueError(f"{name} runs on {', '.join(DEVICES[:-1])} or {DEVICES[-1]}, not on {device!r}")
        if (name, device) == ("nano", "neuron") and importlib.util.find_spec("torch_neuronx") is None:
            raise ValueError(
                "device neuron needs AWS's torch-neuronx and a Neuron device, and there is none here; "
                "`reverie profile --device neuron` shows what the cycle model expects of one"
            )
        return
    if device not in DIFFUSION_DEVICES:
        raise ValueError(f"diffusion models run on {', '.join(DIFFUSION_DEVICES)}, not on {device!r}")
    path = Path(name).expanduser()
    if not path.is_dir():
        raise ValueError(f"there is no model {name!r}; there is nano, or the path of a folder that diffusers saved")
    importlib.import_module("reverie.models.diffusion.folder").check(path)


def describe() -> list[dict[str, Any]]:
    """What `reverie models` lists: sizes, cost and licence of each model whose weights are here."""
    header = weights.describe()
    return [
        {
            "name": header["name"],
            "params_millions": float(header["params_millions"]),
            "gop_per_frame": float(header["gop_per_frame"]),
            "resolution": header["resolution"],
            "licence": header["licence"],
        }
    ]

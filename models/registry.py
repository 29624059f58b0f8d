"""Model names and what is behind them; nothing heavy is imported before it is loaded."""

from __future__ import annotations

import importlib
import importlib.util
from contextlib import suppress
from pathlib import Path
from typing import Any

from reverie.models import licence, weights
from reverie.models.diffusion import catalogue, memory
from reverie.models.diffusion import folder as folders
from reverie.models.stream import Model

NAMES = ("nano", "toy")
DEVICES = ("cpu", "torch", "cuda", "neuron")  # our kernels; PyTorch, for comparison; our kernels; torch-neuronx
DIFFUSION_DEVICES = ("cpu", "cuda", "neuron")  # of folders that diffusers saved


def load(
    name: str = "nano",
    device: str = "cpu",
    llm: str | None = None,
    cpu: str = "",
    skip: float = 0.0,
    precision: str = "",
    sessions: int = 1,
) -> Model:
    """Load a model.

    Args:
        name: nano, or a local folder that diffusers saved.
        llm: where its LLM comes from (see reverie.models.checkpoint.read); None is the installed package.
        cpu: one of reverie.kernels.machine.paths(), "" for the quickest.
        skip: what differs less than this from the frame before (levels of 255) is not made again,
            and nano's picture is held where the source rests; 0 is exact.
        precision: of a diffusion model's large linear layers: "" is the device's own, int8, fp8.
        sessions: at once, that a diffusion model's memory is planned for.
    Raises: ValueError on an unknown name or device; FileNotFoundError if its weights or its LLM are missing.
    """
    check(name, device)
    if name not in NAMES:
        network: Model = importlib.import_module("reverie.models.diffusion.network").load(
            Path(name).expanduser(), device, llm, skip, precision, sessions
        )
        return network
    model: Model
    if name == "toy":
        model = importlib.import_module("reverie.models.toy").ToyModel()
    elif device == "torch":
        model = importlib.import_module("reverie.models.nano").load(llm)
    elif device == "cuda":
        model = _on_cuda(llm, cpu)
    elif device == "neuron":
        model = _on_neuron(llm)
    else:
        model = importlib.import_module("reverie.models.nano_kernel").load(llm, cpu=cpu, skip=skip, steady=skip > 0)
    return model


def _on_cuda(llm: str | None, cpu: str) -> Model:
    """`nano`'s frames on the first GPU, the LLM on this processor.  Raises: ValueError without GPU or nvcc."""
    try:
        gpu = importlib.import_module("reverie.kernels.cuda.pool").gpu()
    except (RuntimeError, FileNotFoundError) as error:
        raise ValueError(f"device cuda: {error}") from None
    found: Model = importlib.import_module("reverie.models.nano_kernel").load(llm, cpu=cpu, gpu=gpu)
    return found


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
        if name == "toy" and device != "cpu":
            raise ValueError(f"toy runs on cpu, not on {device!r}")
        if (name, device) == ("nano", "cuda"):
            reason = importlib.import_module("reverie.kernels.cuda.pool").missing()
            if reason:
                raise ValueError(f"device cuda: {reason}")
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


def describe(folder: Path | None = None) -> list[dict[str, Any]]:
    """What `reverie models` lists: ours, those that were pulled into a folder, and those of the catalogue.

    `vram_gb` and `speed` of diffusion models are estimates and what others published.
    """
    header = weights.describe()
    ours = {
        "name": header["name"], "here": True, "params_millions": float(header["params_millions"]),
        "gop_per_frame": float(header["gop_per_frame"]), "resolution": header["resolution"], "vram_gb": 0.0,
        "licence": header["licence"], "commercial_use": True, "speed": "real time on a CPU with AVX512-VNNI, or AMX",
    }  # fmt: skip
    pulled = sorted(folder.iterdir()) if folder is not None and folder.is_dir() else []
    here = {path.name.replace("--", "/"): path for path in pulled if path.is_dir() and path.suffix != ".part"}
    names = [*here, *(known.name for known in catalogue.KNOWN if known.name not in here)]
    return [ours, *(_row(name, here.get(name)) for name in names)]


def _row(name: str, folder: Path | None) -> dict[str, Any]:
    """A diffusion model; None for what is not known of it."""
    known = catalogue.known(name)
    count, estimated = 0, None
    if folder is not None:
        with suppress(ValueError, FileNotFoundError):  # damaged, or a part of a model: said when it is loaded
            count = folders.parameters(folder)
            estimated = memory.need(folder, 2).total / memory.GB
    under = licence.of(folder) if folder is not None else known.licence if known else licence.UNKNOWN
    return {
        "name": name, "here": folder is not None, "params_millions": round(count / 1e6, 1) or None,
        "gop_per_frame": None, "resolution": "512x512" if known else None,
        "vram_gb": known.vram_gb if known else estimated and round(estimated, 1), "licence": under,
        "commercial_use": None if under in (licence.UNKNOWN, "other") else not licence.forbids(under),
        "speed": known.speed if known else None,
    }  # fmt: skip


def table(rows: list[dict[str, Any]]) -> str:
    """The list as text for people."""
    shown = [{"name": "name", "here": "here", "vram_gb": "VRAM", "licence": "licence", "speed": "expected"}]
    for row in rows:
        use = ", not for commercial use" if row["commercial_use"] is False else ""
        shown.append({
            "name": row["name"], "here": "yes" if row["here"] else "pull",
            "vram_gb": "none" if row["vram_gb"] == 0 else f"{row['vram_gb'] or '?'} GB",
            "licence": row["licence"] + use, "speed": row["speed"] or "?",
        })  # fmt: skip
    widths = {key: max(len(row[key]) for row in shown) for key in shown[0]}
    return "\n".join("  ".join(row[key].ljust(widths[key]) for key in widths).rstrip() for row in shown)

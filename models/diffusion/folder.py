"""A model as diffusers saves it: a folder with model_index.json and safetensors.  Nothing is run to read it."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

# The part of a pipeline that denoises, by its class name; Wan's is the beginning of many, other libraries' too.
NETWORKS = {
    "StableDiffusionPipeline": "unet", "StableDiffusionImg2ImgPipeline": "unet",
    "StableDiffusionXLPipeline": "unet", "StableDiffusionXLImg2ImgPipeline": "unet",
    "LatentConsistencyModelPipeline": "unet", "LatentConsistencyModelImg2ImgPipeline": "unet",
    "Flux2KleinPipeline": "transformer", "LucyEditPipeline": "transformer", "Wan": "transformer",
}  # fmt: skip
OTHER_WANS = "WanVACE", "WanImageToVideo", "WanAnimate"  # of other transformers, or shown more than words
PARTS = ("text_encoder", "text_encoder_2", "unet", "transformer", "vae")


def check(folder: Path) -> str:
    """The pipeline's class name.

    Raises: as `kind`; ValueError if it holds weights that are not safetensors, or its network is shown more.
    """
    name = kind(folder)
    _check_channels(folder, name)
    for part in ("text_encoder", network(name), "vae"):
        if not any((folder / part).glob("*.safetensors")):
            raise ValueError(f"{_title(folder)}/{part} has no safetensors; other formats can run code and are not read")
    return name


def kind(folder: Path) -> str:
    """The pipeline's class name, by model_index.json alone.

    Raises: FileNotFoundError if it is no such folder; ValueError if it is damaged, brings code, or is of a kind that is
    not streamed.
    """
    index = folder / "model_index.json"
    if not index.is_file():
        raise FileNotFoundError(f"{folder.name} has no model_index.json: it is not a folder that diffusers saved")
    try:
        found = json.loads(index.read_text())
        name = found["_class_name"]
    except (ValueError, KeyError, TypeError):
        raise ValueError(f"{_title(folder)}/model_index.json is damaged") from None
    if not isinstance(name, str) or any(_foreign(value) for value in found.values()):
        raise ValueError(f"{_title(folder)} brings code of its own, which is never run")
    network(name)
    if found.get("transformer_2") not in (None, [None, None]):
        raise ValueError(f"{_title(folder)} has two transformers, each for its own shares of noise; one is streamed")
    return name


def _check_channels(folder: Path, name: str) -> None:
    """A network for masks, or for a picture beside the noise, has more channels than it makes."""
    config = settings(folder / network(name))
    seen, made = config.get("in_channels"), config.get("out_channels")
    allowed = (made, made and 2 * made) if name.startswith("LucyEdit") else (made,)
    if seen and made and seen not in allowed:
        raise ValueError(
            f"{_title(folder)} is not streamed: its network sees {seen} channels and makes {made}, so it is shown a "
            "mask or a picture beside the noise"
        )


def _title(folder: Path) -> str:
    """What people call the model, also while it is fetched."""
    return folder.name.removesuffix(".part").replace("--", "/")


def network(name: str) -> str:
    """The part of such a pipeline that denoises.  Raises: ValueError if it is of a kind that is not streamed."""
    wan = name.startswith("Wan") and not name.startswith(OTHER_WANS)
    found = NETWORKS.get("Wan" if wan else name)
    if found is None:
        raise ValueError(f"{name} is not streamed; {', '.join(NETWORKS)} are")
    return found


def _foreign(value: object) -> bool:
    return (
        isinstance(value, list) and isinstance(value[:1], list) and value[0] not in (None, "diffusers", "transformers")
    )


def parameters(folder: Path) -> int:
    """Parameters of all parts that are loaded, from the headers of their files; one precision of each file counts."""
    return sum(math.prod(shape) for part in _parts(folder) for shape in _shapes(part))


def _parts(folder: Path) -> list[Path]:
    """A pipeline's, and what lies beside them: ControlNets with what sees for them, an IP-Adapter with its encoder."""
    found = [folder / part for part in PARTS if part != "vae" or not (folder / "vae_tiny").is_dir()]
    found.append(folder / "vae_tiny")
    for control in folder.glob("controlnet_*"):
        found += [control, folder / f"{control.name.removeprefix('controlnet_')}_estimator"]
    return [*found, folder / "ip_adapter", folder / "image_encoder"] if (folder / "ip_adapter").is_dir() else found


def loras(folder: Path) -> int:
    """Numbers that LoRAs take, all worn once: their own, and those of the layers that they touch, which are kept."""
    own, touched = 0, dict[str, int]()
    for file in sorted((folder / "loras").glob("*.safetensors")):
        shapes = _header(file)
        own += sum(math.prod(shape) for shape in shapes.values())
        for name, shape in shapes.items():
            down = next((word for word in ("lora_A", "lora_down", "lora.down") if word in name), "")
            up = shapes.get(name.replace(down, down.replace("A", "B").replace("down", "up"))) if down else None
            if up:
                touched[name.partition(down)[0]] = up[0] * math.prod(shape[1:])
    whole = sum(math.prod(s) for part in PARTS if part != "vae" for s in _shapes(folder / part))
    return own + min(sum(touched.values()), whole)


def large(folder: Path, side: int = 512) -> int:
    """Parameters of the matrices of the part that denoises, with both sides as large: those that eight bits are for."""
    shapes = [shape for part in ("unet", "transformer") for shape in _shapes(folder / part)]
    return sum(math.prod(shape) for shape in shapes if len(shape) == 2 and min(shape) >= side)


def convolutions(folder: Path) -> int:
    """Parameters of those that a CPU keeps twice (`packed.py`): of an image pipeline's networks."""
    shapes = [shape for part in _parts(folder) for shape in _shapes(part)] if (folder / "unet").is_dir() else []
    return sum(math.prod(shape) for shape in shapes if len(shape) == 4)


def scheduler(folder: Path) -> str:
    """Its class; "" where none is named."""
    return str(settings(folder / "scheduler", "scheduler_config.json").get("_class_name", ""))


def settings(part: Path, file: str = "config.json") -> dict[str, Any]:
    """Of a part; none where there is no such file or it is damaged, which is said when it is loaded."""
    try:
        found = json.loads((part / file).read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _shapes(part: Path) -> list[list[int]]:
    """Of the tensors of a part."""
    files = sorted(part.glob("*.safetensors"))
    plain = [file for file in files if "." not in file.name.removesuffix(".safetensors")]
    return [shape for file in plain or files for shape in _header(file).values()]


def _header(file: Path) -> dict[str, list[int]]:
    """Shapes of its tensors by their names."""
    with file.open("rb") as opened:
        length = int.from_bytes(opened.read(8), "little")
        if length > 100_000_000:
            raise ValueError(f"{file.name} is damaged: its header would have {length} bytes")
        try:
            header = json.loads(opened.read(length))
        except ValueError:
            raise ValueError(f"{file.name} is damaged") from None
    return {name: entry["shape"] for name, entry in header.items() if name != "__metadata__"}

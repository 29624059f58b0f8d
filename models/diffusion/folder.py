"""A model as diffusers saves it: a folder with model_index.json and safetensors.  Nothing is run to read it."""

from __future__ import annotations

import json
from pathlib import Path

# The part of a pipeline that denoises, by how its class name begins.
NETWORKS = {
    "StableDiffusion": "unet", "LatentConsistencyModel": "unet", "Wan": "transformer", "LucyEdit": "transformer",
    "Flux2Klein": "transformer",
}  # fmt: skip
PARTS = ("text_encoder", "text_encoder_2", "unet", "transformer", "vae")


def check(folder: Path) -> str:
    """The pipeline's class name.

    Raises: FileNotFoundError if it is no such folder; ValueError if it is damaged, brings code, holds weights that are
    not safetensors, or is of a kind that is not streamed.
    """
    index = folder / "model_index.json"
    if not index.is_file():
        raise FileNotFoundError(f"{folder.name} has no model_index.json: it is not a folder that diffusers saved")
    try:
        found = json.loads(index.read_text())
        name = found["_class_name"]
    except (ValueError, KeyError, TypeError):
        raise ValueError(f"{folder.name}/model_index.json is damaged") from None
    if not isinstance(name, str) or any(_foreign(value) for value in found.values()):
        raise ValueError(f"{folder.name} brings code of its own, which is never run")
    for part in ("text_encoder", network(name), "vae"):
        if not any((folder / part).glob("*.safetensors")):
            raise ValueError(f"{folder.name}/{part} has no safetensors; other formats can run code and are not read")
    return name


def network(name: str) -> str:
    """The part of such a pipeline that denoises.  Raises: ValueError if it is of a kind that is not streamed."""
    found = next((part for kind, part in NETWORKS.items() if name.startswith(kind)), None)
    if found is None:
        raise ValueError(f"{name} is not streamed; {', '.join(f'{kind}*' for kind in NETWORKS)} are")
    return found


def _foreign(value: object) -> bool:
    return (
        isinstance(value, list) and isinstance(value[:1], list) and value[0] not in (None, "diffusers", "transformers")
    )


def parameters(folder: Path) -> int:
    """Parameters of all parts that are loaded, from the headers of their files; one precision of each file counts."""
    total = 0
    for part in PARTS:
        files = sorted((folder / part).glob("*.safetensors"))
        plain = [file for file in files if "." not in file.name.removesuffix(".safetensors")]
        total += sum(_count(file) for file in plain or files)
    return total


def _count(file: Path) -> int:
    with file.open("rb") as opened:
        length = int.from_bytes(opened.read(8), "little")
        if length > 100_000_000:
            raise ValueError(f"{file.name} is damaged: its header would have {length} bytes")
        try:
            header = json.loads(opened.read(length))
        except ValueError:
            raise ValueError(f"{file.name} is damaged") from None
    total = 0
    for name, entry in header.items():
        if name != "__metadata__":
            size = 1
            for side in entry["shape"]:
                size *= side
            total += size
    return total

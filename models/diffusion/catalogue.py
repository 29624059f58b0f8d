"""Models of the hub that are known to fit, to name one where another does not, and where they lie once pulled."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

NAME = r"\w[\w.-]{0,95}(/\w[\w.-]{0,95})?"  # of a model, or owner/name as the hub has it
TAESD, TAESDXL = "madebyollin/taesd", "madebyollin/taesdxl"


@dataclass(frozen=True, slots=True)
class Known:
    """A model on the hub; its memory is an estimate by `memory.need` for one session at 512x512, not measured."""

    name: str
    repository: str
    vram_gb: float
    licence: str  # as its page on the hub names it
    speed: str  # what others published, or what follows from it; not measured here
    tiny: str = ""  # a tiny autoencoder that goes with it


KNOWN = (
    Known("sdxs", "IDKiro/sdxs-512-0.9", 2.6, "openrail++", "over 60 fps (RTX 4090, expected)"),
    Known("lcm-dreamshaper", "SimianLuo/LCM_Dreamshaper_v7", 2.9, "mit", "20 to 60 fps (RTX 4090, published)", TAESD),
    Known(
        "sd-turbo", "stabilityai/sd-turbo", 3.2, "sai-nc-community", "over 60 fps (RTX 4090, published)", TAESD
    ),
    Known(
        "sdxl-turbo", "stabilityai/sdxl-turbo", 7.5, "sai-nc-community", "20 to 60 fps (RTX 4090, expected)", TAESDXL
    ),
    Known(
        "flux2-klein", "black-forest-labs/FLUX.2-klein-4B", 20.2, "apache-2.0", "under 20 fps (RTX 5090, published)"
    ),
    Known(
        "self-forcing", "wlsaidhi/SFWan2.1-T2V-1.3B-Diffusers", 23.0, "unknown", "under 20 fps (H100, expected)"
    ),
    Known(
        "lucy-edit", "decart-ai/Lucy-Edit-Dev", 27.0, "lucy-edit-dev-non-commercial", "under 2 fps (H100, expected)"
    ),
)  # fmt: skip


def known(name: str) -> Known | None:
    """By our name for it or the hub's."""
    return next((each for each in KNOWN if name in (each.name, each.repository)), None)


def place(folder: Path, name: str) -> Path:
    """Where a model of that name lies once it was pulled into the folder of all models."""
    return folder / name.replace("/", "--")


def located(folder: Path, name: str) -> str:
    """The folder of a model that was pulled under a name; else the name, which may be one of ours or a path.

    Raises: FileNotFoundError for a model that is known, or named as the hub does, and was not pulled.
    """
    if re.fullmatch(NAME, name) and not Path(name).is_dir():
        if place(folder, name).is_dir():
            return str(place(folder, name))
        if known(name) is not None or "/" in name:
            raise FileNotFoundError(f"{name} is not here: `reverie models pull {name}` fetches it")
    return name


def nearest(gigabytes: float, but: str = "") -> Known | None:
    """The largest model that fits into so much memory, but for the one of that name."""
    fit = (known for known in KNOWN if known.vram_gb <= gigabytes and known.name != but)
    return max(fit, key=lambda k: k.vram_gb, default=None)

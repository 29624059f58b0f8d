"""Models of the hub that are known to fit, to name one where another does not."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Known:
    """A model on the hub; its memory is an estimate from its parameters at 512x512 in half precision, not measured."""

    name: str
    repository: str
    vram_gb: float


KNOWN = (
    Known("sdxs", "IDKiro/sdxs-512-0.9", 2.0),
    Known("lcm-dreamshaper", "SimianLuo/LCM_Dreamshaper_v7", 3.0),
    Known("sd-turbo", "stabilityai/sd-turbo", 3.5),
    Known("sdxl-turbo", "stabilityai/sdxl-turbo", 8.5),
)


def nearest(gigabytes: float) -> Known | None:
    """The largest model that fits into so much memory."""
    return max((known for known in KNOWN if known.vram_gb <= gigabytes), key=lambda k: k.vram_gb, default=None)

"""Models of the hub that are known to fit: what they need, what they may be used for."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Known:
    """A model on the hub.  Figures are of 512x512 in half precision, from publications, not measured here."""

    name: str
    repository: str
    steps: int  # denoising steps it was distilled for
    licence: str
    commercial: bool
    vram_gb: float
    fps_class: str  # on a GPU of the RTX 4090 or H100 kind


KNOWN = (
    Known("sdxs", "IDKiro/sdxs-512-0.9", 1, "OpenRAIL++", True, 2.0, "over 100 fps"),
    Known("lcm-dreamshaper", "SimianLuo/LCM_Dreamshaper_v7", 4, "MIT", True, 3.0, "about 30 fps"),
    Known("sd-turbo", "stabilityai/sd-turbo", 1, "Stability AI Community", False, 3.5, "about 90 fps"),
    Known("sdxl-turbo", "stabilityai/sdxl-turbo", 1, "Stability AI Community", False, 8.5, "about 25 fps"),
)


def find(name: str) -> Known | None:
    """The model of that name or repository."""
    return next((known for known in KNOWN if name in (known.name, known.repository)), None)


def nearest(gigabytes: float) -> Known | None:
    """The largest model that fits into so much memory."""
    return max((known for known in KNOWN if known.vram_gb <= gigabytes), key=lambda k: k.vram_gb, default=None)


def terms(known: Known) -> str:
    """What must be said before it is used; "" where nothing must."""
    return (
        "" if known.commercial else f"{known.name}: the licence ({known.licence}) limits commercial use; read it first"
    )

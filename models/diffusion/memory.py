"""Whether a model fits, before it is loaded."""

from __future__ import annotations

from dataclasses import dataclass

from reverie.models.diffusion import catalogue

GB = 1e9
PICTURE_BYTES = 6000  # of working memory for a pixel and a row of the batch; an estimate, to be measured on a GPU
FIXED_BYTES = 0.6e9  # context of CUDA and its libraries; an estimate


@dataclass(frozen=True, slots=True)
class Need:
    """Bytes that a model takes."""

    weights: float
    work: float

    @property
    def total(self) -> float:
        return self.weights + self.work + FIXED_BYTES


def need(parameters: int, bytes_each: int, pixels: int, rows: int) -> Need:
    """Args: rows: of the largest batch: denoising steps, and one more for a negative prompt."""
    return Need(parameters * bytes_each, PICTURE_BYTES * pixels * rows)


def check(name: str, wanted: Need, free: float) -> None:
    """Raises: ValueError with the figures and the nearest model that fits."""
    if wanted.total <= free:
        return
    other = catalogue.nearest(free / GB)
    advice = f"{other.name} needs {other.vram_gb:g} GB" if other else "nano needs no GPU"
    raise ValueError(
        f"{name} needs {wanted.total / GB:.1f} GB ({wanted.weights / GB:.1f} of weights, {wanted.work / GB:.1f} to "
        f"work, {FIXED_BYTES / GB:.1f} for the device) and {free / GB:.1f} GB are free; {advice}"
    )

"""Whether a model fits, before it is loaded, and what to do when memory runs out all the same."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from reverie.models.diffusion import catalogue, folder

GB = 1e9
PICTURE_BYTES = 2500  # of working memory for a pixel and a row, in half precision; an estimate, not measured on a GPU
PIXELS = 512 * 512  # that are planned for; larger pictures may run out of memory, and are then painted smaller
FIXED_BYTES = 0.6e9  # context of CUDA and its libraries; an estimate
RAN_OUT = ("out of memory", "not enough memory", "can't allocate memory")  # what torch says, of a GPU and of a CPU


@dataclass(frozen=True, slots=True)
class Need:
    """Bytes that a model takes."""

    weights: float
    work: float

    @property
    def total(self) -> float:
        return self.weights + self.work + FIXED_BYTES


def need(parameters: int, bytes_each: int, pixels: int, rows: int, eight_bits: int = 0) -> Need:
    """Args: rows: of the largest batch: denoising steps, and one more for a negative prompt.  eight_bits: parameters
    that take a byte each."""
    return Need((parameters - eight_bits) * bytes_each + eight_bits, PICTURE_BYTES * bytes_each / 2 * pixels * rows)


def plan(path: Path, device: str, precision: str, rows: int) -> None:
    """Look whether a folder fits a device, from the headers of its files.

    Raises: ValueError with the figures, and with what would fit.
    """
    each, count, large = 4 if device == "cpu" else 2, folder.parameters(path), folder.large(path)
    wanted = need(count, each, PIXELS, rows, large if precision else 0)
    there = free(device)
    if there is None:
        return
    smaller = need(count, each, PIXELS, rows, large)
    tip = f"with REVERIE_PRECISION=int8 it needs {smaller.total / GB:.1f} GB" if smaller.total <= there else ""
    check(path.name, wanted, there, tip)


def free(device: str) -> int | None:
    """Bytes of a device that are free; None where that cannot be asked."""
    if device == "cuda":
        import torch

        return int(torch.cuda.mem_get_info()[0])
    try:
        lines = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text().splitlines())
        return int(lines["MemAvailable"].split()[0]) * 1024 if device == "cpu" else None
    except (OSError, KeyError, ValueError):
        return None


def check(name: str, wanted: Need, free: float, tip: str = "") -> None:
    """Raises: ValueError with the figures and the nearest model that fits, or the tip."""
    if wanted.total <= free:
        return
    other = catalogue.nearest(free / GB)
    advice = tip or (f"{other.name} needs {other.vram_gb:g} GB" if other else "nano needs no GPU")
    raise ValueError(
        f"{name} needs {wanted.total / GB:.1f} GB ({wanted.weights / GB:.1f} of weights, {wanted.work / GB:.1f} to "
        f"work, {FIXED_BYTES / GB:.1f} for the device) and {free / GB:.1f} GB are free; {advice}"
    )


def ran_out(error: BaseException) -> bool:
    """Whether a step failed because memory ran out, of a GPU or of this machine."""
    return type(error).__name__ in ("MemoryError", "OutOfMemoryError") or any(words in str(error) for words in RAN_OUT)

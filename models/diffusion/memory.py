"""Whether a model fits, before it is loaded, and how to tell that memory ran out all the same."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from reverie.models.diffusion import catalogue, folder, sizes

GB = 1e9
PIXELS = 512 * 512  # that are planned for; larger pictures may run out of memory, and are then painted smaller
FIXED_BYTES = 0.6e9  # context of CUDA and its libraries; an estimate
RAN_OUT = ("out of memory", "not enough memory", "can't allocate memory")  # what torch says, of a GPU and of a CPU


@dataclass(frozen=True, slots=True)
class Need:
    """Bytes that a model takes."""

    weights: float
    work: float
    streams: float = 0.0  # what all sessions keep
    count: int = 1  # of sessions

    @property
    def total(self) -> float:
        return self.weights + self.work + self.streams + FIXED_BYTES


def need(path: Path, each: int, precision: str = "", sessions: int = 1, cpu: bool = False) -> Need:
    """Of a folder, by the headers and settings of its files.

    Args: each: bytes of a number.  precision: of precision.NAMES: large layers that take a byte.
        cpu: convolutions are there twice (`packed.py`).
    Raises: ValueError if it is damaged.
    """
    parameters = folder.parameters(path) + folder.loras(path)
    if cpu:
        parameters += folder.convolutions(path)
    eight, held = folder.large(path) if precision else 0, sizes.held(path, PIXELS, sessions)
    return Need((parameters - eight) * each + eight, held.work * each, held.stream * each * sessions, sessions)


def plan(path: Path, device: str, precision: str, sessions: int = 1) -> None:
    """Look whether a folder fits a device with so many sessions at once.

    Raises: ValueError with the figures, and with what would fit.
    """
    from reverie.models.diffusion.precision import number

    there, each, cpu = free(device), number(device).itemsize, device == "cpu"
    if there is None:
        return
    tips, wanted = list[str](), need(path, each, precision, sessions, cpu)
    if wanted.total > there:
        less = ((n, need(path, each, precision, n, cpu).total) for n in range(sessions - 1, 0, -1))
        fewer = next((found for found in less if found[1] <= there), None)
        if fewer:
            tips.append(f"with REVERIE_MAX_SESSIONS={fewer[0]} it needs {fewer[1] / GB:.1f} GB")
        smaller = need(path, each, "int8", sessions, cpu).total
        if not precision and smaller <= there:
            tips.append(f"with REVERIE_PRECISION=int8 it needs {smaller / GB:.1f} GB")
    check(path.name, wanted, there, tips)


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


def check(name: str, wanted: Need, free: float, tips: list[str]) -> None:
    """Raises: ValueError with the figures, what else could be done, and the nearest model that fits."""
    if wanted.total <= free:
        return
    other = catalogue.nearest(free / GB, name)
    advice = [*tips, f"{other.name} needs {other.vram_gb:g} GB" if other else "nano needs no GPU"]
    raise ValueError(
        f"{name} needs {wanted.total / GB:.1f} GB ({wanted.weights / GB:.1f} of weights, {wanted.work / GB:.1f} to "
        f"work, {wanted.streams / GB:.1f} for {wanted.count} session{'s' if wanted.count > 1 else ''}, "
        f"{FIXED_BYTES / GB:.1f} for the device) and {free / GB:.1f} GB are free; {', '.join(advice)}"
    )


def ran_out(error: BaseException) -> bool:
    """Whether a step failed because memory ran out, of a GPU or of this machine."""
    return type(error).__name__ in ("MemoryError", "OutOfMemoryError") or any(words in str(error) for words in RAN_OUT)

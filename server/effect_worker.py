"""The process of one user's effect in one session: python -m reverie.server.effect_worker FD FD MEGABYTES SOURCE.

    def effect(frame, ctx):     # in a file, or an entry point of the group reverie.effects
        ...                     # frame: (H, W, 3) uint8 RGB, which may be changed in place
        return frame            # or None for what was changed in place

It has an address space of so many megabytes and a lower priority, and ends with its server.  Pictures lie in memory
that both share; the socket carries one JSON line for each.
"""

from __future__ import annotations

import importlib.util
import json
import mmap
import os
import resource
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]  # (H, W, 3) RGB
Function = Callable[[Picture, Any], Any]
GROUP = "reverie.effects"
SLOT = 4096 * 2304 * 3  # bytes of the largest picture; the camera's lies behind the one to change
NICENESS = 5


@dataclass
class Context:
    """What an effect is told; `state` is its own, for one session, until its process ends."""

    session: str = ""
    prompt: str = ""
    styled: bool = False  # whether the picture is the model's
    number: int = 0  # of frames that this effect saw before
    time_s: float = 0.0  # when the camera took it, by the camera's clock
    camera: Picture | None = None  # the newest camera picture, for an effect that says `wants_camera = True`
    state: dict[str, Any] = field(default_factory=dict)


def load(source: str) -> tuple[Function, bool]:
    """The function of a file or entry point, and whether it wants the camera.  Raises whatever its code raises."""
    if source.endswith(".py"):
        spec = importlib.util.spec_from_file_location(Path(source).stem, source)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        function = module.effect
    else:
        (entry,) = entry_points(group=GROUP, name=source)
        function = entry.load()
        module = sys.modules[function.__module__]
    return function, bool(getattr(module, "wants_camera", False))


def apply(function: Function, picture: Picture, context: Context) -> None:
    """Run an effect on a picture, in place.  Raises ValueError if it gives back something else."""
    result = function(picture, context)
    if result is None or result is picture:
        return
    shape, kind = getattr(result, "shape", None), getattr(result, "dtype", type(result).__name__)
    if shape != picture.shape or kind != np.uint8:
        raise ValueError(f"it must give back {picture.shape} uint8, got {shape} {kind}")
    picture[:] = result


def picture_at(memory: mmap.mmap, slot: int, shape: tuple[int, int, int]) -> Picture:
    return np.frombuffer(memory, np.uint8, int(np.prod(shape)), slot * SLOT).reshape(shape)


def fault(error: BaseException) -> str:
    """One line for a person: what went wrong and in which line of their file."""
    trace, line = error.__traceback__, 0
    while trace is not None:
        line, trace = trace.tb_lineno, trace.tb_next
    return f"{type(error).__name__} in line {line}: {error}"[:300]


def main(control: int, memory_fd: int, megabytes: int, source: str) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (megabytes << 20,) * 2)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.nice(NICENESS)
    memory = mmap.mmap(memory_fd, 2 * SLOT)
    wire = socket.socket(fileno=control)
    lines = wire.makefile("r", encoding="utf-8")
    tell = lambda answer: wire.sendall(json.dumps(answer).encode() + b"\n")
    try:
        function, wants_camera = load(source)
    except BaseException as error:  # the user's code
        return tell({"fault": f"it cannot be loaded: {fault(error)}"})
    tell({"wants_camera": wants_camera})
    context = Context()
    for line in lines:
        asked = json.loads(line)
        camera = picture_at(memory, 1, asked["camera"]) if asked["camera"] else None
        for name in ("session", "prompt", "styled", "time_s"):
            setattr(context, name, asked[name])
        context.camera = camera
        try:
            apply(function, picture_at(memory, 0, asked["shape"]), context)
        except Exception as error:  # the user's code
            tell({"fault": fault(error)})
        else:
            tell({})
        context.number += 1


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4])

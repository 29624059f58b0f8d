"""Every way a program is run, behind one function: the buffers that an epoch of all its models leaves."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from rig.neuron import compiled

from reverie.kernels import reference
from reverie.kernels.cuda.driver import Driver
from reverie.kernels.cuda.launcher import Launcher
from reverie.kernels.machine import Instance, Loaded, Pool, memory, paths
from reverie.kernels.neuron.emit import kernel
from reverie.kernels.neuron.emit_language import Language
from reverie.kernels.neuron.emit_video import Video
from reverie.kernels.neuron.feed import feed, take
from reverie.kernels.neuron.nkisim import shim
from reverie.kernels.program import Program
from reverie.kernels.tasks import Attention, Embed, Pick, Project, Recollect, Ref
from reverie.kernels.validate import validate

U8 = np.ndarray
HERE = Path(__file__).parent
ROOT = HERE.parents[1]
SPOKEN = (Embed, Project, Recollect, Pick)  # kinds of tasks of a language model


@dataclass(frozen=True)
class Backend:
    """`run` gets its own buffers and changes them; `exact`: it owes the reference's bits in everything."""

    name: str
    run: Callable[[Program, list[U8]], None]
    exact: bool = True

    def leaves(self, program: Program, before: Sequence[U8]) -> list[U8]:
        """What an epoch of each model leaves; arrays that were one stay one."""
        copies = {id(array): _copy(array) for array in before}
        own = [copies[id(array)] for array in before]
        self.run(program, own)
        return own


def _copy(array: U8) -> U8:
    own = memory(array.nbytes)
    own[:] = array
    return own


def reference_vm(program: Program, buffers: list[U8], seed: int | None = None) -> None:
    validate(program)
    for model in range(len(program.models)):
        reference.launch(program, model, buffers, None if seed is None else np.random.default_rng(seed))


def cpu(path: str, program: Program, buffers: list[U8]) -> None:
    given = {buffer.name: array for buffer, array in zip(program.buffers, buffers, strict=True)}
    instance = Instance(Loaded(program), given)
    Pool(len(program.queues[0]), path).launch([(instance, model) for model in range(len(program.models))])


def _first(program: Program, buffers: list[U8]) -> bool:
    """Whether this frame is its own past."""
    asked = [node.task for node in program.nodes if isinstance(node.task, Attention)]
    return bool(asked) and buffers[asked[0].sink.buffer] is buffers[asked[0].now.buffer]


def nkisim(program: Program, buffers: list[U8]) -> None:
    shim.install()

    def get(ref: Ref, kind: Any, count: int) -> np.ndarray:
        return buffers[ref.buffer][ref.offset : ref.offset + count * np.dtype(kind).itemsize].view(kind)

    plans = []
    for model in range(len(program.models)):
        first = next(node.task for node in program.nodes if node.model == model)
        if isinstance(first, SPOKEN):
            plans.append(Language(program, model, get).build())
        else:
            plans.append(Video(program, model, get, first=_first(program, buffers)).build())
    made = kernel(plans)
    given = feed(made, (program, get))
    take(made, shim.run(compiled(made), given)[0], given, (program, get))


@cache
def emulated_driver() -> Driver:
    """NVIDIA's driver, emulated: built once, into the build folder."""
    sources = [
        HERE / "driver.cpp",
        *sorted((ROOT / "kernels" / "cuda").glob("*.h")),
        *(ROOT / "kernels" / "cpu").glob("*.h"),
    ]
    made = ROOT / "build" / "emulated" / "libcuda.so"
    if not made.exists() or made.stat().st_mtime < max(source.stat().st_mtime for source in sources):
        made.parent.mkdir(parents=True, exist_ok=True)
        flags = [
            "-std=c++20",
            "-O2",
            "-ffp-contract=off",
            "-Wall",
            "-Wextra",
            "-Werror",
            "-pthread",
            "-shared",
            "-fPIC",
        ]
        fresh = made.with_suffix(f".{os.getpid()}")
        subprocess.run(["g++", *flags, "-o", str(fresh), str(HERE / "driver.cpp")], check=True)
        fresh.replace(made)
    return Driver(made)


def cuda(program: Program, buffers: list[U8]) -> None:
    given = {buffer.name: array for buffer, array in zip(program.buffers, buffers, strict=True)}
    launcher = Launcher(program, given, b"emulated", emulated_driver())
    try:
        launcher.launch(range(len(program.models)))
        for buffer, array in zip(program.buffers, buffers, strict=True):
            array[:] = launcher[buffer.name]
    finally:
        launcher.close()


BACKENDS = {
    backend.name: backend for backend in (
        Backend("reference in any order", partial(reference_vm, seed=7)),
        *(Backend(f"cpu {path}", partial(cpu, path)) for path in paths()),
        Backend("cuda, emulated", cuda),
        Backend("nkisim", nkisim, exact=False),
    )
}  # fmt: skip

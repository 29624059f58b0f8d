"""A GPU in the place of a CPU's workers: instances of a program are launched there, what changes goes there and back.

It was run on an emulated driver and never on a GPU.
"""

from __future__ import annotations

import ctypes
import tempfile
import time
import weakref
from collections.abc import Sequence
from pathlib import Path

from reverie.kernels.cuda import compiler
from reverie.kernels.cuda.driver import LIBRARY, Driver
from reverie.kernels.cuda.launcher import Launcher
from reverie.kernels.machine import Instance, Order
from reverie.kernels.program import Role

STAYS, COMES = (Role.CONSTANT, Role.ARENA, Role.OUTPUT), (Role.STATE, Role.OUTPUT, Role.ARENA, Role.BACK)


class GpuPool:
    """As reverie.kernels.machine.Pool, a block a multiprocessor.  Launches come from one thread at a time."""

    path, broken = "cuda", False

    def __init__(self, driver: Driver, image: bytes) -> None:
        self.driver, self.image, self.workers = driver, image, driver.card.multiprocessors
        self._launchers: weakref.WeakKeyDictionary[Instance, Launcher] = weakref.WeakKeyDictionary()

    def launch(
        self, jobs: Sequence[tuple[Instance, int]], order: Order = Order.STEALING, timeout_s: float = 10.0
    ) -> float:
        """One epoch of each (instance, model), one after the other; returns the seconds it took.

        Raises: RuntimeError if a launch was given up, or with the driver's words.
        """
        began = time.perf_counter()
        for instance, model in jobs:
            self._run(instance, model)
        return time.perf_counter() - began

    def _run(self, instance: Instance, model: int) -> None:
        program, launcher = instance.loaded.program, self._launcher(instance)
        first: dict[int, int] = {}  # of arrays that stand in several places
        owners = [first.setdefault(id(array), number) for number, array in enumerate(instance.arrays)]
        launcher.alias(owners)
        own = [b for number, b in enumerate(program.buffers) if owners[number] == number]
        for buffer in own:
            if buffer.role not in STAYS:
                launcher[buffer.name] = instance[buffer.name][: buffer.bytes]
        launcher.launch([model])
        for buffer in own:
            if buffer.role in COMES:
                instance[buffer.name][: buffer.bytes] = launcher[buffer.name]

    def _launcher(self, instance: Instance) -> Launcher:
        """The instance's memory on the GPU; it is given back with the instance."""
        if instance not in self._launchers:
            program = instance.loaded.program
            given = {b.name: instance[b.name] for b in program.buffers if b.role is Role.CONSTANT}
            made = self._launchers[instance] = Launcher(program, given, self.image, self.driver)
            weakref.finalize(instance, made.close)
        return self._launchers[instance]


def missing() -> str:
    """What this machine lacks to run on a GPU; empty if nothing."""
    try:
        ctypes.CDLL(LIBRARY)
    except OSError:
        return f"there is no NVIDIA driver here ({LIBRARY} cannot be loaded)"
    return "" if compiler.nvcc() else "nvcc is not on the PATH: install the CUDA toolkit, 12.8 or newer"


def gpu() -> GpuPool:
    """The first GPU, and the kernel compiled for it, which takes some seconds.

    Raises: RuntimeError if there is no driver or no GPU; FileNotFoundError without nvcc.
    """
    driver = Driver()
    with tempfile.TemporaryDirectory() as folder:
        ptx, image = Path(folder) / "kernel.ptx", Path(folder) / "kernel.cubin"
        compiler.to_ptx(ptx)
        compiler.compile_for(str(driver.card.architecture), ptx, image)
        return GpuPool(driver, image.read_bytes())

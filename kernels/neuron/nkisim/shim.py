"""Puts the simulator in the place of `nki`, and runs kernels."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reverie.kernels.neuron.nkisim import isa, language
from reverie.kernels.neuron.nkisim.machine import Machine, running
from reverie.kernels.neuron.nkisim.tensor import NkiTensor


def real() -> bool:
    """Whether AWS's nki is installed; the package of that name on the public index cannot be imported."""
    if "nki" in sys.modules:
        return not getattr(sys.modules["nki"], "simulated", False)
    if importlib.util.find_spec("nki") is None:
        return False
    try:
        importlib.import_module("nki")
    except ImportError:
        return False
    return True


def install() -> bool:
    """Make `import nki`, `nki.language` and `nki.isa` mean the simulator.  False if the real one is there."""
    if real():
        return False
    package = ModuleType("nki")
    package.__path__ = []
    for name, value in {"simulated": True, "jit": jit, "simulate": simulate, "language": language, "isa": isa}.items():
        setattr(package, name, value)
    sys.modules |= {"nki": package, "nki.language": language, "nki.isa": isa}
    return True


def jit(function: Callable[..., Any] | None = None, **ignored: Any) -> Callable[..., Any]:
    return function if function is not None else jit


def simulate(kernel: Callable[..., Any]) -> Callable[..., Any]:
    """A function on arrays: inputs as HBM tensors, outputs as arrays."""

    def call(*arrays: NDArray[Any]) -> Any:
        return run(kernel, {str(i): a for i, a in enumerate(arrays)})[0]

    return call


def run_pair(
    kernel: Callable[..., Any], given: Mapping[str, NDArray[Any]], constants: dict[str, float] | None = None
) -> tuple[tuple[NDArray[Any], ...], list[Machine]]:
    """A kernel on both cores of a pair (`kernel[2]`): they share what is off chip.  Raises: as `run`."""
    shared: dict[str, NkiTensor] = {}
    machines = [Machine(constants, core=core, shared=shared) for core in range(2)]
    for machine in machines:
        made, _ = run(kernel, given, machine)
    return made, machines


def run(
    kernel: Callable[..., Any], given: Mapping[str, NDArray[Any]], on: Machine | None = None
) -> tuple[Any, Machine]:
    """Run a kernel on arrays in HBM, in order.  Returns what it returns, as arrays, and the machine it ran on.

    Raises: Violation, with the numbers, where the hardware or the language would refuse.
    """
    with running(on or Machine()) as machine:
        made = kernel(*(machine.hbm(name, array) for name, array in given.items()))
    arrays = tuple(t.array for t in made) if isinstance(made, tuple) else np.asarray(getattr(made, "array", made))
    return arrays, machine

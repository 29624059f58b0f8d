"""The simulator stands in for nki where nki is not."""

import importlib
import sys
from types import ModuleType

import numpy as np
import pytest

from reverie.kernels.neuron.nkisim import shim


@pytest.fixture(autouse=True)
def as_before():
    kept = {name: sys.modules.get(name) for name in ("nki", "nki.language", "nki.isa")}
    yield
    for name, module in kept.items():
        if module is None:
            sys.modules.pop(name, None)
        else:
            sys.modules[name] = module


def doubled(nki):
    nl, isa = importlib.import_module("nki.language"), importlib.import_module("nki.isa")

    @nki.jit
    def kernel(x):
        held = nl.ndarray(x.shape, nl.float32, buffer=nl.sbuf)
        isa.dma_copy(held, x)
        isa.tensor_scalar(held, held, nl.multiply, 2.0)
        y = nl.ndarray(x.shape, nl.float32, buffer=nl.shared_hbm)
        isa.dma_copy(y, held)
        return y

    return kernel


def test_a_kernel_that_imports_nki_runs() -> None:
    for name in ("nki", "nki.language", "nki.isa"):
        sys.modules.pop(name, None)
    if not shim.install():
        pytest.skip("the real nki is installed")
    import nki

    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    np.testing.assert_array_equal(nki.simulate(doubled(nki))(x), 2 * x)


def test_the_real_nki_is_left_alone() -> None:
    sys.modules["nki"] = ModuleType("nki")
    assert shim.real() and not shim.install()

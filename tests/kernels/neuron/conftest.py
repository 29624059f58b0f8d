"""Neuron tests run emitted kernels on the simulator, and share the cases of tests/rig/cases.py."""

import importlib
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parents[1]), str(HERE.parent)]

importlib.import_module("reverie.kernels.neuron.nkisim.shim").install()

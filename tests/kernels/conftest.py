"""Kernel tests share the programs of tests/rig; sanitize_machine.py runs them with sanitizers."""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE)]

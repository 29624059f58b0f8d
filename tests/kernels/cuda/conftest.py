"""CUDA tests share the programs of tests/rig and the cases of tests/kernels/test_reference.py."""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parents[1]), str(HERE.parent)]

"""Amazon's own simulator against ours, where their package is installed: `pytest -m nki_real`."""

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
import sys
sys.path[:0] = {places!r}
import nki
import numpy as np
from rig.cases import CASES
from reverie.kernels import reference
from reverie.kernels.machine import memory
from reverie.kernels.neuron.emit import kernel
from reverie.kernels.neuron.emit_video import Video
from reverie.kernels.neuron.feed import feed

bench, tasks = CASES["conv 1x1"](7)
bench.builder.op("op", tasks)
program = bench.builder.finish(2)
buffers = [bench.given[b.name].copy() if b.name in bench.given else memory(b.bytes) for b in program.buffers]
get = lambda ref, kind, n: buffers[ref.buffer][ref.offset : ref.offset + n * np.dtype(kind).itemsize].view(kind)
made, space = kernel([Video(program, 0, get).build()]), {{}}
exec(made.source, space)
(shown,) = nki.simulate(space["kernel"])(*feed(made, (program, get)).values())
reference.launch(program, 0, buffers)
np.testing.assert_array_equal(np.asarray(shown).T.reshape(-1), get(program.nodes[0].task.y, np.uint8, shown.size))
"""


def installed() -> bool:
    """In a process of its own: here the simulator stands in its place."""
    return subprocess.run([sys.executable, "-c", "import nki.isa"], capture_output=True).returncode == 0


@pytest.mark.nki_real
def test_their_simulator_computes_an_operator_as_the_reference_does() -> None:
    if not installed():
        pytest.skip("Amazon's nki is not installed: it is on their own package index only")
    tests = Path(__file__).parents[2]
    script = SCRIPT.format(places=[str(tests), str(tests / "kernels")])
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]

"""Labels in the simulator, nothing else."""

import numpy as np

from reverie.kernels.neuron.marks import mark
from reverie.kernels.neuron.nkisim import isa, shim
from reverie.kernels.neuron.nkisim import language as nl


def test_a_mark_labels_what_follows() -> None:
    def kernel(x):
        held = nl.ndarray((1, 4), nl.float32)
        mark("video", "first")
        isa.dma_copy(held, x)
        mark("llm", "second")
        isa.memset(held, 0.0)

    _, machine = shim.run(kernel, {"x": np.zeros((1, 4), np.float32)})
    assert [event.label for event in machine.events] == ["video/first", "llm/second"]
    mark("outside", "a kernel")

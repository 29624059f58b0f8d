"""Where a kernel says what it is doing: nothing when it is traced for hardware, labels in the simulator."""

from __future__ import annotations

from reverie.kernels.neuron.nkisim.machine import CURRENT


def mark(model: str, op: str) -> None:
    if CURRENT:
        CURRENT[-1].label = f"{model}/{op}"

"""How near to the reference a backend must be that does not owe its bits."""

from __future__ import annotations

import numpy as np

from reverie.kernels.program import Program, Role
from reverie.kernels.tasks import Embed, Pick, Project, Recollect, Task

FLOATS = (Embed, Project, Recollect)  # kinds of tasks that write float32; the others write bytes or whole numbers

# Relative error per kind: twice the worst of 20 seeds of each case, 25 November 2026.  Kinds that are not here: 0.
# Conv: a sum that is a half rounds to the other byte.  Heads: a key's last bit is in its sum.  Attention: the reference
# rounds weights to bytes, the kernel to bfloat16.  Project: inputs of 16 bits, rounded in two ways.  Recollect: float32.
BOUND = {"Conv": 6e-4, "Heads": 1.1e-2, "Attention": 3e-2, "Project": 1.7e-4, "Recollect": 3e-6}
# A whole frame and token, by who wrote last: the errors of all operators before, 20 pictures, the same day.
WHOLE = {"Picture": 8.2e-2, "Heads": 1.4e-1, "Recollect": 1.3e-4}


def relative_error(actual: np.ndarray, expected: np.ndarray) -> float:
    """|actual - expected| / |expected|; bytes are taken from their middle."""
    a, e = actual.astype(np.float64), expected.astype(np.float64)
    if actual.dtype == np.uint8:
        a, e = a - 128, e - 128
    error = np.linalg.norm(a - e) / max(np.linalg.norm(e), 1e-300)
    return float(np.nan_to_num(error, nan=np.inf))


def writers(program: Program, buffers: set[int]) -> list[Task]:
    return [n.task for n in program.nodes if any(at.buffer in buffers for at in n.task.writes())]


def assert_agree(
    program: Program, actual: list[np.ndarray], expected: list[np.ndarray], exact: bool, whole: bool = False
) -> None:  # fmt: skip
    """What a launch leaves beyond its temporaries.  whole: errors of many operators add up."""
    for buffer, a, e in zip(program.buffers, actual, expected, strict=True):
        if buffer.role is Role.ARENA:
            continue
        made = writers(program, {n for n, other in enumerate(actual) if other is a})
        if exact or not made or isinstance(made[-1], Pick):
            np.testing.assert_array_equal(a[: buffer.bytes], e[: buffer.bytes], err_msg=buffer.name)
            continue
        kind = np.float32 if isinstance(made[-1], FLOATS) else np.uint8
        error = relative_error(a.view(kind), e.view(kind))
        bound = (WHOLE if whole else BOUND).get(type(made[-1]).__name__, 0.0)
        assert error <= bound, f"{buffer.name}: relative error {error:.2e} > {bound:.2e}"

"""What all instructions share: their options, what the documentation forbids, and their place on an engine's clock.

P partitions, N free elements.  Engines compute in float32 and round when they store.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from enum import Enum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reverie.kernels.neuron.nkisim.machine import machine
from reverie.kernels.neuron.nkisim.tensor import NkiTensor, Violation

F = np.float32


class engine(Enum):
    unknown = "unknown"
    tensor = "tensor"
    vector = "vector"
    scalar = "scalar"
    gpsimd = "gpsimd"
    dma = "dma"


class oob_mode(Enum):
    error = "error"
    skip = "skip"


class reduce_cmd(Enum):
    idle = "idle"
    reset = "reset"
    reduce = "reduce"
    reset_reduce = "reset_reduce"


def refuse(when: bool, reason: str) -> None:
    if when:
        raise Violation(reason)


def onchip(*tensors: NkiTensor) -> None:
    for t in tensors:
        if not t.onchip:
            raise Violation(f"{t.block.name} lies in {t.buffer}: engines read and write SBUF and PSUM only")
        if t.shape[0] > 128:
            raise Violation(f"{t.block.name} spans {t.shape[0]} partitions, there are 128")


def free(t: NkiTensor) -> int:
    return math.prod(t.shape[1:])


def flat(t: NkiTensor) -> NDArray[np.float32]:
    """Values as (P, N)."""
    return t.floats().reshape(t.shape[0], -1)


def same(name: str, dst: NkiTensor, *sources: NkiTensor) -> None:
    for source in sources:
        refuse(
            (source.shape[0], free(source)) != (dst.shape[0], free(dst)),
            f"{name}: {source.block.name} {source.shape} does not fit {dst.block.name} {dst.shape}",
        )


def operand(name: str, data: NkiTensor, operand: Any) -> Any:
    """A number, or one float32 a partition."""
    if not isinstance(operand, NkiTensor):
        return F(operand)
    onchip(operand)
    refuse(
        operand.shape[0] != data.shape[0] or free(operand) != 1 or operand.dtype != np.float32,
        f"{name}: an operand is a number or float32 of ({data.shape[0]}, 1), got {operand.dtype} {operand.shape}",
    )
    return operand.floats().reshape(-1, 1) if machine().computing else F(0)


def tensors(*operands: Any) -> list[NkiTensor]:
    return [each for each in operands if isinstance(each, NkiTensor)]


def elementwise(
    name: str, on: engine, default: str, dst: NkiTensor, reads: Sequence[NkiTensor], inputs: int,
    compute: Callable[[], NDArray[Any]], factor: float = 1.0, also: Sequence[NkiTensor] = (),
) -> None:  # fmt: skip
    """Rules, clock and arithmetic of an instruction that goes element by element."""
    m, kind = machine(), default if on is engine.unknown else on.value
    onchip(dst, *reads, *also)
    refuse(kind == "gpsimd" and any(t.buffer == "psum" for t in (dst, *reads)), f"{name}: GpSimd cannot reach PSUM")
    c, n = m.constants, free(dst)
    narrow = all(t.array.itemsize <= 2 and t.buffer == "sbuf" for t in (dst, *reads[:inputs]))
    if kind == "vector":
        factor *= (c["vector.second_input_factor"] if inputs > 1 else 1) * (c["vector.narrow_factor"] if narrow else 1)
    elif kind == "scalar":
        factor *= c["scalar.narrow_factor"] if narrow else 1
    else:
        factor *= c["gpsimd.factor"]
    m.issue(kind, name, (n * factor + c[f"{kind}.fixed_cycles"]) / c["clock.other_ghz"], reads, [dst, *also])
    if m.computing:
        with np.errstate(all="ignore"):
            dst.put(np.broadcast_to(compute(), (dst.shape[0], n)).reshape(dst.shape))

import numpy as np
from numpy.typing import NDArray

def paths() -> list[str]: ...
def peak(path: str, workers: int, steps: int) -> float: ...
def conv(
    x: NDArray[np.uint8],
    weight: NDArray[np.int8],
    bias: NDArray[np.int32],
    scale: NDArray[np.float32],
    shift: NDArray[np.float32],
    y: NDArray[np.uint8],
    kernel: int,
    shuffle: bool,
    activation: int,
    gate: float,
    table: NDArray[np.uint8] | None,
    residual: NDArray[np.uint8] | None,
    residual_scale: float,
    beside: NDArray[np.uint8] | None,
    path: str,
    workers: int,
    repeat: int,
) -> float: ...

"""How a program's bytes lie in HBM for the neuron backend: matrices ready to be stationary, an out's vectors side by
side.

Everything comes from the same constants and the same style slot as on a CPU; nothing is trained or calibrated again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import ml_dtypes
import numpy as np
from numpy.typing import DTypeLike, NDArray

from reverie.kernels.reference_lanes import unpacked
from reverie.kernels.reference_video import keys_values as opened
from reverie.kernels.tasks import BLOCK, BLOCK_BYTES, HEAD, Activation, Attention, Conv, Modulate, Picture, Ref

PARTITIONS = 128
N_VECTORS = 6  # as tiles.py has them
BF16 = np.dtype(ml_dtypes.bfloat16)
F = np.float32
Bytes = Callable[[Ref, DTypeLike, int], NDArray[Any]]  # what lies at a place: reference, type, count


def chunk(channels: int) -> int:
    """Channels that share a pass: the most, up to 128, that divide them, in steps of 32."""
    if channels <= PARTITIONS:
        return channels
    return next(size for size in range(PARTITIONS, 0, -32) if channels % size == 0)


def taps(conv: Conv, pack: bool) -> int:
    """Taps of a 3x3 kernel that fill the array's rows together; 0: one shifted tile is used for all."""
    return min(9, PARTITIONS // conv.channels) if pack and conv.kernel == 3 and conv.channels <= 64 else 0


def parts(conv: Conv) -> tuple[int, int]:
    """Chunks of outs and their size; of a pixel shuffle, none spans two of its corners."""
    size = chunk(conv.outs // 4 if conv.shuffle else conv.outs)
    return conv.outs // size, size


def conv_weights(conv: Conv, get: Bytes, pack: bool) -> NDArray[Any]:
    """Stationary matrices pass by pass, (128, passes * outs) bfloat16: whole numbers up to 127 are exact."""
    whole = unpacked(get(conv.weight, np.int8, conv.outs * conv.depth()), conv.outs)  # (O, k)
    here = whole[:, : conv.kernel**2 * conv.channels].reshape(conv.outs, conv.kernel**2, conv.channels)
    beside = whole[:, conv.kernel**2 * conv.channels :]
    passes: list[NDArray[Any]] = []
    if each := taps(conv, pack):
        passes += [here[:, t : t + each].reshape(conv.outs, -1).T for t in range(0, 9, each)]
    else:
        size = chunk(conv.channels)
        for c in range(0, conv.channels, size):
            passes += [here[:, tap, c : c + size].T for tap in range(conv.kernel**2)]
    if conv.beside_channels:
        size = chunk(conv.beside_channels)
        passes += [beside[:, c : c + size].T for c in range(0, conv.beside_channels, size)]
    made = np.zeros((PARTITIONS, len(passes) * conv.outs), BF16)
    for i, rows in enumerate(passes):
        made[: len(rows), i * conv.outs : (i + 1) * conv.outs] = rows
    return made


def conv_vectors(conv: Conv, get: Bytes, less_zero: bool = False) -> NDArray[np.float32]:
    """Six vectors a chunk of outs, (128, chunks * 6): see tiles.py.  less_zero: of sums of inputs less their
    zero-point.
    """
    count, size = parts(conv)
    bias, scale, shift = get(conv.bias, np.int32, conv.outs), *(get(r, F, conv.outs) for r in (conv.scale, conv.shift))
    skip = np.zeros(conv.outs, F)
    if conv.residual.buffer >= 0:
        skip = get(conv.residual_scale, F, conv.outs // 4 if conv.shuffle else conv.outs)
        skip = np.tile(skip, 4) if conv.shuffle else skip
    sums = bias.astype(np.float64)
    if less_zero:
        sums += conv.x_zero * unpacked(get(conv.weight, np.int8, conv.outs * conv.depth()), conv.outs).sum(1)
    add = (sums * scale + shift).astype(F)
    active = conv.activation == Activation.HARD_SWISH
    made = np.zeros((PARTITIONS, count, N_VECTORS), F)
    from_sums = active and conv.residual.buffer < 0
    vectors = (
        add + (0 if active else conv.y_zero),
        scale,
        skip,
        (add * conv.gate if from_sums else np.zeros_like(add)) + F(0.5),
        scale * conv.gate if from_sums else np.full_like(add, conv.gate),
        np.full_like(add, conv.y_zero),
    )
    made[:size] = np.stack([v.reshape(count, size).T for v in vectors], 2)
    return made.reshape(PARTITIONS, -1)


def modulate_vectors(task: Modulate, get: Bytes) -> NDArray[np.float32]:
    """Gain and shift of each chunk of channels, (128, chunks * 2)."""
    size = chunk(task.width)
    gain, shift = get(task.gain, F, task.width), get(task.shift, F, task.width) + F(task.y_zero)
    made = np.zeros((PARTITIONS, task.width // size, 2), F)
    made[:size] = np.stack([v.reshape(-1, size).T for v in (gain, shift)], 2)
    return made.reshape(PARTITIONS, -1)


def picture_vectors(task: Picture, get: Bytes) -> NDArray[np.float32]:
    """Scale and shift of the residual, and strength, (128, 3), for eight spans of pixels; bytes, not [-1, 1]."""
    colour, made = get(task.colour, F, 12).reshape(3, 4), np.zeros((PARTITIONS, 3), F)
    add = 127.5 * (colour[:, 3] - task.zero * task.step - colour[:, :3].sum(1)) + 127.5
    made[:96] = np.stack(
        [np.full(96, 127.5 * task.step), np.tile(add, 32), np.full(96, get(task.strength, F, 1)[0])], 1
    )
    return made


def picture_matrix(task: Picture, get: Bytes) -> NDArray[np.float32]:
    """The colour matrix for each corner of a cell and each of eight spans, stationary: (128, 96)."""
    made = np.zeros((PARTITIONS, 96), F)
    made[:96] = np.kron(np.eye(32), get(task.colour, F, 12).reshape(3, 4)[:, :3]).T
    return made


def past_matrix(task: Attention, get: Bytes) -> NDArray[Any]:
    """What earlier frames' keys have more, stationary: (128, H)."""
    made = np.zeros((PARTITIONS, task.heads), BF16)
    made[:HEAD] = get(task.past, F, task.heads * HEAD).reshape(task.heads, HEAD).T
    return made


def keys_values(blocks: NDArray[np.uint8], heads: int, count: int) -> tuple[NDArray[np.int8], NDArray[np.int8]]:
    """Packed keys and values of a CPU as (D, S) and (S, D)."""
    each = -(-count // BLOCK) * BLOCK_BYTES
    both = [opened(blocks[h * each : (h + 1) * each].reshape(-1, BLOCK_BYTES)) for h in range(heads)]
    k, v = (np.concatenate([pair[i][:count] for pair in both], 1).astype(np.int8) for i in (0, 1))
    return np.ascontiguousarray(k.T), np.ascontiguousarray(v)


def packed(k: NDArray[np.int8], v: NDArray[np.int8], heads: int) -> NDArray[np.uint8]:
    """The inverse: (D, S) and (S, D) as a CPU's blocks, head by head, with -128 * sum of each key; zeros at the end."""
    blocks = -(-len(v) // BLOCK)
    made = np.zeros((heads, blocks, BLOCK_BYTES), np.uint8)
    keys, values = (np.zeros((blocks * BLOCK, heads, HEAD), np.int8) for _ in range(2))
    keys[: len(v)], values[: len(v)] = k.T.reshape(-1, heads, HEAD), v.reshape(-1, heads, HEAD)
    split = keys.reshape(blocks, 4, 16, heads, 16, 4).transpose(3, 0, 1, 4, 2, 5)
    size = BLOCK * HEAD
    made[..., :size] = np.ascontiguousarray(split).reshape(heads, blocks, size).view(np.uint8)
    split = values.reshape(blocks, 16, 4, heads, 4, 16).transpose(3, 0, 4, 1, 5, 2)
    made[..., size : 2 * size] = np.ascontiguousarray(split).reshape(heads, blocks, size).view(np.uint8)
    sums = -128 * keys.astype(np.int32).sum(2).T.reshape(heads, blocks, BLOCK)
    made[..., 2 * size :] = np.ascontiguousarray(sums, np.int32).view(np.uint8)
    return made.reshape(-1)


def rope(table: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """(S, 2, K / 2) cosines and sines as (128, S) each, for two heads side by side."""
    cosine, sine = (np.ascontiguousarray(np.tile(table[:, i].T, (4, 1))) for i in (0, 1))
    return cosine.astype(F), sine.astype(F)


def fixed() -> NDArray[np.float32]:
    """Matrices that every kernel has, (128, 386): ones, ones within a head, the swap of rotary embedding, two
    epsilons.
    """
    ones, heads = np.ones((128, 128), F), np.kron(np.eye(2, dtype=F), np.ones((64, 64), F))
    swap = np.zeros((128, 128), F)
    for base in (0, 64):
        for i in range(32):
            swap[base + i + 32, base + i], swap[base + i, base + i + 32] = -1, 1
    epsilons = np.tile(np.array([1e-6, 1e-6 * (8 / 127) ** 2], F), (128, 1))
    return np.concatenate((ones, heads, swap, epsilons), 1)


def matrix(weight: NDArray[Any], rows: int, columns: int) -> NDArray[Any]:
    """(O, D) as tiles of outs, each T blocks of (P, M), in (128, tiles * T * M); component t * P + p."""
    outs, width = weight.shape
    split = weight.reshape(outs // columns, columns, width // rows, rows).transpose(3, 0, 2, 1).reshape(rows, -1)
    made = np.zeros((PARTITIONS, split.shape[1]), BF16)
    made[:rows] = split
    return made


def tall(vector: NDArray[Any], rows: int) -> NDArray[np.float32]:
    """(D,) as (128, T)."""
    made = np.zeros((PARTITIONS, len(vector) // rows), F)
    made[:rows] = vector.reshape(-1, rows).T
    return made


def beside(arrays: Sequence[NDArray[Any]]) -> tuple[NDArray[Any], list[int]]:
    """Arrays of 128 rows as one, and the column at which each begins."""
    starts = np.cumsum([0, *(a.shape[1] for a in arrays)])
    return np.concatenate(arrays, 1), [int(s) for s in starts[:-1]]

"""Tiles of the video model in NKI: what the emitted kernel calls, one call a strip of rows.

Maps lie in HBM as bytes, (C, Y * X); integers up to 256 are exact in bfloat16, so TensorE forms the same sums of
products as the int8 kernels of a CPU.  Functions take whole numbers and tensors only; addresses are (partition, byte).
"""

from typing import Any

import nki.isa as nisa
import nki.language as nl

SHIFT, SCALE, SKIP, GATE_SHIFT, GATE_SCALE, ZERO = 0, 1, 2, 3, 4, 5  # columns of an out's vectors
N_VECTORS = 6
BANK = 2048  # bytes of PSUM a partition


def load(source: Any, rows: int, column: int, columns: int, dtype: Any, at: int) -> Any:
    """Columns of a tensor in HBM as an SBUF tile."""
    tile = nl.ndarray((rows, columns), dtype, buffer=nl.sbuf, name="loaded", address=(0, at))
    nisa.dma_copy(tile, source[0:rows, column : column + columns])
    return tile


def shifted(
    x: Any, channel: int, channels: int, height: int, width: int, r0: int, r1: int, zero: float, at: int
) -> Any:
    """Rows r0 - 1 to r1 + 1 of some channels, with a border: (channels, r1 - r0 + 2, width + 2)."""
    tile = nl.ndarray((channels, r1 - r0 + 2, width + 2), nl.bfloat16, buffer=nl.sbuf, name="strip", address=(0, at))
    nisa.memset(tile[:, :, 0:1], zero, engine=nisa.engine.gpsimd)
    nisa.memset(tile[:, :, width + 1 : width + 2], zero, engine=nisa.engine.gpsimd)
    first, last = max(r0 - 1, 0), min(r1 + 1, height)
    if first == r0:
        nisa.memset(tile[:, 0:1, :], zero, engine=nisa.engine.gpsimd)
    if last == r1:
        nisa.memset(tile[:, r1 - r0 + 1 : r1 - r0 + 2, :], zero, engine=nisa.engine.gpsimd)
    inner = tile[:, first - r0 + 1 : last - r0 + 1, 1 : width + 1]
    nisa.dma_copy(inner, x[channel : channel + channels, first * width : last * width])
    return tile


def gathered(
    x: Any, channels: int, height: int, width: int, r0: int, r1: int, zero: float, tap: int, taps: int, at: int
) -> Any:
    """Some taps of a 3x3 kernel side by side on the partitions (im2col): (taps * channels, r1 - r0, width)."""
    tile = nl.ndarray((taps * channels, r1 - r0, width), nl.bfloat16, buffer=nl.sbuf, name="taps", address=(0, at))
    nisa.memset(tile[:, :, 0:1], zero, engine=nisa.engine.gpsimd)
    nisa.memset(tile[:, :, width - 1 : width], zero, engine=nisa.engine.gpsimd)
    if r0 == 0:
        nisa.memset(tile[:, 0:1, :], zero, engine=nisa.engine.gpsimd)
    if r1 == height:
        nisa.memset(tile[:, r1 - r0 - 1 : r1 - r0, :], zero, engine=nisa.engine.gpsimd)
    for j in range(taps):
        dy, dx = (tap + j) // 3 - 1, (tap + j) % 3 - 1
        first, last = max(r0 + dy, 0), min(r1 + dy, height)
        left, right = max(dx, 0), width + min(dx, 0)
        if first < last:
            source = x[0:channels, first * width : last * width].reshape((channels, last - first, width))
            rows = tile[j * channels : (j + 1) * channels, first - r0 - dy : last - r0 - dy, left - dx : right - dx]
            nisa.dma_copy(rows, source[:, :, left:right])
    return tile


def plain(x: Any, channel: int, channels: int, width: int, r0: int, r1: int, at: int) -> Any:
    """Rows of some channels: (channels, r1 - r0, width)."""
    tile = nl.ndarray((channels, r1 - r0, width), nl.bfloat16, buffer=nl.sbuf, name="rows", address=(0, at))
    nisa.dma_copy(tile, x[channel : channel + channels, r0 * width : r1 * width])
    return tile


def column(vectors: Any, rows: int, chunk: int, which: int) -> Any:
    """One vector of a chunk of outs, (M, 1)."""
    return vectors[0:rows, chunk * N_VECTORS + which : chunk * N_VECTORS + which + 1]


def finish(acc: Any, y: Any, vectors: Any, chunk: int, residual: Any, active: int, at: int, turn: int) -> None:
    """The epilogue: sums in PSUM to bytes, by ScalarE and VectorE."""
    rows = acc.shape[0]
    shift, scale = column(vectors, rows, chunk, SHIFT), column(vectors, rows, chunk, SCALE)
    if active == 0 and residual is None:
        if turn % 2 == 0:
            nisa.activation(y, nl.copy, acc, bias=shift, scale=scale)
        else:
            nisa.tensor_scalar(y, acc, nl.multiply, scale, op1=nl.add, operand1=shift)
        return
    t = nl.ndarray(acc.shape, nl.float32, buffer=nl.sbuf, name="sums", address=(0, at))
    nisa.activation(t, nl.copy, acc, bias=shift, scale=scale)
    if residual is not None:
        target = y if active == 0 else t
        nisa.scalar_tensor_tensor(target, residual, nl.multiply, column(vectors, rows, chunk, SKIP), nl.add, t)
    if active == 1:
        size = 4 * acc.shape[1] * acc.shape[2]
        gate = nl.ndarray(acc.shape, nl.float32, buffer=nl.sbuf, name="gate", address=(0, at + size))
        source = acc if residual is None else t
        gate_shift, gate_scale = column(vectors, rows, chunk, GATE_SHIFT), column(vectors, rows, chunk, GATE_SCALE)
        nisa.activation(gate, nl.relu, source, bias=gate_shift, scale=gate_scale)
        nisa.scalar_tensor_tensor(t, gate, nl.minimum, 1.0, nl.multiply, t)
        nisa.tensor_scalar(y, t, nl.add, column(vectors, rows, chunk, ZERO), engine=nisa.engine.gpsimd)


def strips(
    x: Any, beside: Any, residual: Any, height: int, width: int, channels: int, chunk: int, beside_channels: int,
    beside_chunk: int, kernel: int, corner: int, out_chunk: int, wide: int, taps: int, x_zero: float, r0: int, r1: int,
    at: int,
) -> tuple[Any, Any]:  # fmt: skip
    """What out rows r0 to r1 of a convolution read, on chip: its inputs, and its residual by chunks of outs.

    taps: of a 3x3 kernel that share a pass, 0 to shift one tile instead; wide: 2 if the outs become 2x2 pixels, else 1.
    """
    step = 2 if kernel == 2 else 1
    rows, place = r1 - r0, at
    tiles: tuple[Any, ...] = ()
    skips: tuple[Any, ...] = ()
    if kernel == 3 and taps > 0:
        for tap in range(0, 9, taps):
            count = min(taps, 9 - tap)
            tiles = (*tiles, gathered(x, channels, height, width, r0, r1, x_zero, tap, count, place))
            place += 2 * rows * width
    elif kernel == 3:
        for c in range(0, channels, chunk):
            tiles = (*tiles, shifted(x, c, chunk, height, width, r0, r1, x_zero, place))
            place += 2 * (rows + 2) * (width + 2)
    else:
        for c in range(0, channels, chunk):
            tiles = (*tiles, plain(x, c, chunk, width, step * r0, step * r1, place))
            place += 2 * step * rows * width
        for c in range(0, beside_channels, beside_chunk):
            tiles = (*tiles, plain(beside, c, beside_chunk, width, r0, r1, place))
            place += 2 * rows * width
    if residual is not None:
        columns = wide * width // step
        for o in range(0, corner, out_chunk):
            skips = (*skips, plain(residual, o, out_chunk, columns, wide * r0, wide * r1, place))
            place += 2 * wide * rows * columns
    return (tiles, skips)


def room(rows: int, height: int, width: int, at: int) -> Any:
    """Where a chunk of outs of a strip is put together."""
    return nl.ndarray((rows, height, width), nl.uint8, buffer=nl.sbuf, name="made", address=(0, at))


def store(y: Any, made: Any, channel: int, first: int) -> None:
    """A strip of some outs, from pixel `first` on."""
    rows, count = made.shape[0], made.shape[1] * made.shape[2]
    nisa.dma_copy(y[channel : channel + rows, first : first + count], made)


def conv(
    read: tuple[Any, ...], shown: Any, weights: Any, vectors: Any, columns: int, each: int, lines: int, kernel: int,
    outs: int, chunk: int, wide: int, active: int, taps: int, rows: int, scratch: int, turn: int,
) -> None:  # fmt: skip
    """The rows of a strip: one chunk of outs (of each corner, if they become 2x2 pixels) from what `strips` read.

    weights: (128, passes * outs) in SBUF, pass by pass; each, lines: columns and rows of one tile of sums; scratch:
    where the epilogue works.
    """
    tiles, skips = read[0], read[1]
    m, corner, bank = shown.shape[0], outs // (wide * wide), turn
    for part in range(wide * wide):
        first, dy, dx = part * corner + chunk * m, part // 2, part % 2
        for a in range(0, rows, lines):
            b = min(a + lines, rows)
            for c in range(0, columns, each):
                d = c + each
                acc = nl.ndarray(
                    (m, b - a, each), nl.float32, buffer=nl.psum, name="acc", address=(0, BANK * (bank % 4))
                )
                multiply(acc, tiles, weights, kernel, taps, outs, first, m, a, b, c, d)
                made = shown[:, wide * a + dy : wide * b : wide, wide * c + dx : wide * d : wide]
                kept = None
                if len(skips) > 0:
                    kept = skips[chunk][:, wide * a + dy : wide * b : wide, wide * c + dx : wide * d : wide]
                finish(acc, made, vectors, first // m, kept, active, scratch + 4096 * (bank % 4), bank)
                bank += 1


def multiply(
    acc: Any, tiles: tuple[Any, ...], weights: Any, kernel: int, taps: int, outs: int, first: int, m: int, a: int, b:
    int, c: int, d: int,
) -> None:  # fmt: skip
    """All passes of one tile of sums."""
    number = 0
    inner = 9 if kernel == 3 and taps == 0 else 4 if kernel == 2 else 1
    for tile in tiles:
        for tap in range(inner):
            if kernel == 3 and taps == 0:
                moving = tile[:, a + tap // 3 : b + tap // 3, c + tap % 3 : d + tap % 3]
            elif kernel == 2:
                moving = tile[:, 2 * a + tap // 2 : 2 * b : 2, 2 * c + tap % 2 : 2 * d : 2]
            else:
                moving = tile[:, a:b, c:d]
            stationary = weights[0 : tile.shape[0], number * outs + first : number * outs + first + m]
            nisa.nc_matmul(acc, stationary, moving, accumulate=number > 0)
            number += 1


def picture(
    source: Any, residual: Any, y: Any, vectors: Any, colour: Any, span: int, n0: int, n1: int, at: int
) -> None:
    """The picture shown: colour matrix on the source plus the residual, mixed in by strength; 12 channels (dy, dx,
    colour).

    Eight spans of pixels lie side by side on the partitions, so that 96 of them work.
    """
    n = n1 - n0
    pixels = nl.ndarray((96, n), nl.float32, buffer=nl.sbuf, name="pixels", address=(0, at))
    add = nl.ndarray((96, n), nl.float32, buffer=nl.sbuf, name="add", address=(0, at + 4 * n))
    for g in range(8):
        nisa.dma_copy(pixels[12 * g : 12 * g + 12, :], source[0:12, g * span + n0 : g * span + n1])
        nisa.dma_copy(add[12 * g : 12 * g + 12, :], residual[0:12, g * span + n0 : g * span + n1])
    mixed = nl.ndarray((96, n), nl.float32, buffer=nl.psum, name="coloured", address=(0, BANK * 6))
    nisa.nc_matmul(mixed, colour, pixels, accumulate=False)
    nisa.activation(add, nl.copy, add, bias=vectors[:, 1:2], scale=vectors[:, 0:1])
    nisa.tensor_tensor(add, mixed, add, nl.add)
    nisa.tensor_scalar(add, add, nl.maximum, 0.0, op1=nl.minimum, operand1=255.0, engine=nisa.engine.gpsimd)
    nisa.tensor_tensor(add, add, pixels, nl.subtract)
    made = nl.ndarray((96, n), nl.uint8, buffer=nl.sbuf, name="shown", address=(0, at + 8 * n))
    nisa.scalar_tensor_tensor(made, add, nl.multiply, vectors[:, 2:3], nl.add, pixels)
    for g in range(8):
        nisa.dma_copy(y[:, g * span + n0 : g * span + n1], made[12 * g : 12 * g + 12, :])

"""Tiles of the transformer blocks in NKI: norms, heads with rotary embedding, attention over the ring of keys and
values.

Maps lie in HBM as bytes, (C, tokens), as in tiles.py; addresses are (partition, byte).
"""

from typing import Any

import nki.isa as nisa
import nki.language as nl

BANK = 2048  # bytes of PSUM a partition
AHEAD = 3  # blocks of scores that TensorE forms before it needs the first one's weights


def modulate(
    x: Any, y: Any, vectors: Any, ones: Any, tokens: int, width: int, chunk: int, x_zero: float, y_zero: float, epsilon:
    Any, n0: int, n1: int, at: int,
) -> None:  # fmt: skip
    """Tokens n0 to n1 of x / rms(x) * gain + shift: the sum over channels by TensorE, into every partition."""
    n, parts = n1 - n0, width // chunk
    total = nl.ndarray((chunk, n), nl.float32, buffer=nl.psum, name="squares", address=(0, BANK * 6))
    place = at
    kept: tuple[Any, ...] = ()
    for i in range(parts):
        u = nl.ndarray((chunk, n), nl.float32, buffer=nl.sbuf, name="tokens", address=(0, place))
        nisa.dma_copy(u, x[i * chunk : (i + 1) * chunk, n0:n1])
        nisa.tensor_scalar(u, u, nl.subtract, x_zero)
        squares = nl.ndarray((chunk, n), nl.float32, buffer=nl.sbuf, name="squared", address=(0, place + 4 * n))
        nisa.activation(squares, nl.square, u)
        nisa.nc_matmul(total, ones[0:chunk, 0:chunk], squares, accumulate=i > 0)
        kept = (*kept, u)
        place += 8 * n
    inverse = nl.ndarray((chunk, n), nl.float32, buffer=nl.sbuf, name="inverse", address=(0, place))
    nisa.activation(inverse, nl.rsqrt, total, bias=epsilon[0:chunk, :], scale=1.0 / width)
    for i in range(parts):
        nisa.tensor_tensor(kept[i], kept[i], inverse, nl.multiply)
        made = nl.ndarray((chunk, n), nl.uint8, buffer=nl.sbuf, name="normed", address=(0, place + 4 * n + n * (i % 2)))
        gain, shift = vectors[0:chunk, 2 * i : 2 * i + 1], vectors[0:chunk, 2 * i + 1 : 2 * i + 2]
        nisa.activation(made, nl.copy, kept[i], bias=shift, scale=gain)
        nisa.dma_copy(y[i * chunk : (i + 1) * chunk, n0:n1], made)


def turned(
    qkv: Any, y: Any, c0: int, c1: int, cosine: Any, sine: Any, ones: Any, swap: Any, epsilon: Any, n0: int, n1: int,
    at: int,
) -> None:  # fmt: skip
    """RMS norm over each head, then rotary embedding, of channels c0 to c1: bytes, step 8 / 127."""
    p, n = c1 - c0, n1 - n0
    u = nl.ndarray((p, n), nl.float32, buffer=nl.sbuf, name="head", address=(0, at))
    nisa.dma_copy(u, qkv[c0:c1, n0:n1])
    nisa.tensor_scalar(u, u, nl.subtract, 128.0)
    squares = nl.ndarray((p, n), nl.float32, buffer=nl.sbuf, name="squared", address=(0, at + 4 * n))
    nisa.activation(squares, nl.square, u)
    total = nl.ndarray((p, n), nl.float32, buffer=nl.psum, name="squares", address=(0, BANK * 6))
    nisa.nc_matmul(total, ones[0:p, 0:p], squares, accumulate=False)
    inverse = nl.ndarray((p, n), nl.float32, buffer=nl.sbuf, name="inverse", address=(0, at + 4 * n))
    nisa.activation(inverse, nl.rsqrt, total, bias=epsilon[0:p, :], scale=(8.0 / 127.0) * (8.0 / 127.0) / 64.0)
    nisa.tensor_tensor(u, u, inverse, nl.multiply)
    other = nl.ndarray((p, n), nl.float32, buffer=nl.psum, name="swapped", address=(0, BANK * 6))
    nisa.nc_matmul(other, swap[0:p, 0:p], u, accumulate=False)
    product = nl.ndarray((p, n), nl.float32, buffer=nl.sbuf, name="product", address=(0, at + 4 * n))
    nisa.tensor_tensor(product, other, sine[0:p, :], nl.multiply)
    nisa.tensor_tensor(u, u, cosine[0:p, :], nl.multiply)
    made = nl.ndarray((p, n), nl.int8, buffer=nl.sbuf, name="turned", address=(0, at + 8 * n))
    nisa.tensor_tensor(made, u, product, nl.add)
    nisa.dma_copy(y, made)


def values(qkv: Any, v: Any, c0: int, c1: int, n0: int, n1: int, at: int) -> None:
    """Values of channels c0 to c1 with their tokens on the partitions, less the zero-point."""
    p, n = c1 - c0, n1 - n0
    x = nl.ndarray((p, n), nl.bfloat16, buffer=nl.sbuf, name="values", address=(0, at))
    nisa.dma_copy(x, qkv[c0:c1, n0:n1])
    nisa.tensor_scalar(x, x, nl.subtract, 128.0)
    flipped = nl.ndarray((n, p), nl.bfloat16, buffer=nl.psum, name="flipped", address=(0, BANK * 6))
    nisa.nc_transpose(flipped, x)
    made = nl.ndarray((n, p), nl.int8, buffer=nl.sbuf, name="flat", address=(0, at + 2 * n))
    nisa.tensor_copy(made, flipped)
    nisa.dma_copy(v, made)


def head_keys(k: Any, head: int, count: int, earlier: int, at: int) -> Any:
    """A frame's keys of one head, (65, count): a row of ones where earlier frames have their bias."""
    tile = nl.ndarray((65, count), nl.bfloat16, buffer=nl.sbuf, name="keys", address=(0, at))
    nisa.dma_copy(tile[0:64, :], k[64 * head : 64 * head + 64, 0:count])
    if earlier == 1:
        nisa.memset(tile[64:65, :], 1.0, engine=nisa.engine.gpsimd)
    return tile


def head_values(v: Any, head: int, count: int, at: int) -> Any:
    """A frame's values of one head in blocks of 128 keys, (128, 65 * blocks): each block's last column is one."""
    blocks = (count + 127) // 128
    tile = nl.ndarray((128, 65 * blocks), nl.bfloat16, buffer=nl.sbuf, name="vals", address=(0, at))
    nisa.memset(tile, 1.0, engine=nisa.engine.gpsimd)
    for b in range(blocks):
        k = min(128, count - 128 * b)
        nisa.dma_copy(tile[0:k, 65 * b : 65 * b + 64], v[128 * b : 128 * b + k, 64 * head : 64 * head + 64])
    return tile


def attend(
    q: Any, keys: tuple[Any, ...], vals: tuple[Any, ...], biased: tuple[int, ...], y: Any, past: Any, head: int,
    n0: int, n1: int, scale: float, step: float, at: int, turn_out: int,
) -> None:  # fmt: skip
    """Queries n0 to n1 of one head over all keys: scores and weights with the keys on the partitions.

    q and k have unit RMS over 64 components, so a score is at most 8 (plus the bias of earlier frames): exp needs no
    maximum.  A column of ones beside the values adds up the weights.  The weights are the stationary matrix: 65 columns
    move, which is all the array needs.  keys, vals: a frame each; biased: 1 for an earlier one.
    """
    n, size, groups = n1 - n0, (n1 - n0 + 31) // 32 * 64, (n1 - n0 + 127) // 128
    queries = asked(q, past, head, n0, n1, step, size, at)
    bank = BANK * (4 + turn_out % 2)
    mixed = nl.ndarray((128, groups, 65), nl.float32, buffer=nl.psum, name="mixed", address=(0, bank))
    place = at + 2 * size
    blocks: tuple[tuple[int, int, int], ...] = ()
    for f in range(len(keys)):
        count = keys[f].shape[1]
        for k0 in range(0, count, 128):
            blocks = (*blocks, (f, k0, min(128, count - k0)))
    total = len(blocks)
    made: tuple[Any, ...] = ()
    for turn in range(total + AHEAD):
        if turn < total:
            f, k0, k = blocks[turn]
            rows = 65 if biased[f] == 1 else 64
            weights = weighed(
                keys[f][0:rows, k0 : k0 + k], queries[0:rows, :], turn, place + size * (turn % (AHEAD + 1))
            )
            made = (*made, weights)
        if turn >= AHEAD:
            f, k0, k = blocks[turn - AHEAD]
            block = vals[f][0:k, 65 * (k0 // 128) : 65 * (k0 // 128) + 65]
            for g in range(groups):
                last = min(128 * g + 128, n)
                share = made[turn - AHEAD][:, 128 * g : last]
                nisa.nc_matmul(mixed[0 : last - 128 * g, g : g + 1, :], share, block, accumulate=turn > AHEAD)
    put(mixed, y, 64 * head, n0, n1, scale, place + size * (AHEAD + 1))


def asked(q: Any, past: Any, head: int, n0: int, n1: int, step: float, size: int, at: int) -> Any:
    """Scaled queries, (65, n1 - n0): the last row, their product with `past`, meets the ones of an earlier frame's
    keys.
    """
    n, c = n1 - n0, 64 * head
    raw = nl.ndarray((64, n), nl.bfloat16, buffer=nl.sbuf, name="raw", address=(0, at))
    nisa.dma_copy(raw, q[c : c + 64, n0:n1])
    queries = nl.ndarray((65, n), nl.bfloat16, buffer=nl.sbuf, name="queries", address=(0, at + size))
    nisa.tensor_scalar(queries[0:64, :], raw, nl.multiply, step * step / 8.0)
    bias = nl.ndarray((1, n), nl.float32, buffer=nl.psum, name="bias", address=(0, BANK * 6))
    nisa.nc_matmul(bias, past[:, head : head + 1], raw, accumulate=False)
    nisa.tensor_scalar(queries[64:65, :], bias, nl.multiply, step / 8.0)
    return queries


def weighed(keys: Any, queries: Any, turn: int, at: int) -> Any:
    """exp of the scores of a block of keys, (keys, queries); ScalarE takes every fourth block from VectorE."""
    k, n = keys.shape[1], queries.shape[1]
    scores = nl.ndarray((k, n), nl.float32, buffer=nl.psum, name="scores", address=(0, BANK * (turn % 4)))
    nisa.nc_matmul(scores, keys, queries, accumulate=False)
    weights = nl.ndarray((k, n), nl.bfloat16, buffer=nl.sbuf, name="weights", address=(0, at))
    if turn % 4 == 3:
        nisa.activation(weights, nl.exp, scores)
    else:
        nisa.exponential(weights, scores)
    return weights


def put(mixed: Any, y: Any, c: int, n0: int, n1: int, scale: float, at: int) -> None:
    """Sums of values over sums of weights, turned back to bytes of channels c to c + 64."""
    for g in range(mixed.shape[1]):
        m = min(128, n1 - n0 - 128 * g)
        mass = nl.ndarray((m, 1), nl.float32, buffer=nl.sbuf, name="mass", address=(0, at + 448 * g))
        nisa.reciprocal(mass, mixed[0:m, g : g + 1, 64:65])
        rows = nl.ndarray((m, 64), nl.float32, buffer=nl.sbuf, name="rows", address=(0, at + 448 * g + 64))
        nisa.tensor_scalar(rows, mixed[0:m, g : g + 1, 0:64], nl.multiply, mass, op1=nl.multiply, operand1=scale)
        flipped = nl.ndarray((64, m), nl.float32, buffer=nl.psum, name="flipped", address=(0, BANK * 6))
        nisa.nc_transpose(flipped, rows)
        shown = nl.ndarray((64, m), nl.uint8, buffer=nl.sbuf, name="shown", address=(0, at + 448 * g + 320))
        nisa.tensor_scalar(shown, flipped, nl.add, 128.0)
        nisa.dma_copy(y[c : c + 64, n0 + 128 * g : n0 + 128 * g + m], shown)

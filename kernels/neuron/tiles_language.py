"""Tiles of the LLM's decoding in NKI: weights stream from HBM as the stationary matrix, the token's vector moves.

A vector of D lies on chip as float32 (P, T), component t * P + p at [p, t].  It is multiplied as two bfloat16 parts,
which keeps 16 bits of it.  K is 64; addresses are (partition, byte).
"""

from typing import Any

import nki.isa as nisa
import nki.language as nl

BANK = 2048 * 7  # of PSUM, the LLM's own


def embed(table: Any, steps: Any, token: Any, y: Any, width: int, at: int) -> None:
    """The token's row of the table, in y's layout, times its step."""
    p, t = y.shape
    number = nisa.register_alloc(0)
    nisa.register_load(number, token)
    row = nl.ndarray((p, t), nl.float32, buffer=nl.sbuf, name="row", address=(0, at))
    nisa.dma_copy(row, table.ap(pattern=[[1, p], [p, t]], offset=0, scalar_offset=number * width))
    step = nl.ndarray((p, 1), nl.float32, buffer=nl.sbuf, name="step", address=(0, at + 4 * t))
    nisa.dma_copy(step, steps.ap(pattern=[[0, p], [1, 1]], offset=0, scalar_offset=number))
    nisa.tensor_scalar(y, row, nl.multiply, step)


def normed(x: Any, y: Any, gain: Any, ones: Any, epsilon: Any, at: int) -> None:
    """y = x / rms(x) * gain."""
    p, t = x.shape
    squares = nl.ndarray((p, t), nl.float32, buffer=nl.sbuf, name="squares", address=(0, at))
    sums = nl.ndarray((p, 1), nl.float32, buffer=nl.sbuf, name="sums", address=(0, at + 4 * t))
    nisa.activation(squares, nl.square, x, reduce_op=nl.add, reduce_res=sums)
    total = nl.ndarray((p, 1), nl.float32, buffer=nl.psum, name="total", address=(0, BANK))
    nisa.nc_matmul(total, ones[0:p, 0:p], sums, accumulate=False)
    inverse = nl.ndarray((p, 1), nl.float32, buffer=nl.sbuf, name="inverse", address=(0, at + 4 * t))
    nisa.activation(inverse, nl.rsqrt, total, bias=epsilon[0:p, :], scale=1.0 / (p * t))
    nisa.tensor_scalar(y, x, nl.multiply, inverse)
    nisa.tensor_tensor(y, y, gain, nl.multiply)


def gated(x: Any, y: Any) -> None:
    """SwiGLU: y = silu(the first half of x) * the second."""
    t = y.shape[1]
    nisa.activation(y, nl.silu, x[:, 0:t])
    nisa.tensor_tensor(y, y, x[:, t : 2 * t], nl.multiply)


def split(x: Any, y: Any, at: int) -> None:
    """float32 (P, T) as two bfloat16 parts, (P, T, 2)."""
    p, t = x.shape
    high, low = y[:, :, 0:1], y[:, :, 1:2]
    nisa.tensor_copy(high, x)
    rest = nl.ndarray((p, t), nl.float32, buffer=nl.sbuf, name="rest", address=(0, at))
    nisa.tensor_tensor(rest, x, high, nl.subtract)
    nisa.tensor_copy(low, rest)


def products(
    x: Any, weights: Any, first: int, outs: int, tile: int, tiles: int, buffer: int, slot: int
) -> Any:  # fmt: skip
    """Sums of some tiles of outs of a linear layer, in PSUM: (M, tiles, 2), to be added.

    x: (P, T, 2) bfloat16; weights: HBM (128, all columns), this layer's from column `first`, per tile T blocks of (P,
    M); outs: M; tile, tiles: the first and how many; buffer: SBUF address of the weights.
    """
    p, t, m = x.shape[0], x.shape[1], outs
    block = t * m
    held = nl.ndarray((p, tiles * block), nl.bfloat16, buffer=nl.sbuf, name="streamed", address=(0, buffer))
    nisa.dma_copy(held, weights[0:p, first + tile * block : first + (tile + tiles) * block])
    acc = nl.ndarray((m, tiles, 2), nl.float32, buffer=nl.psum, name="outs", address=(0, BANK + 256 * (1 + slot % 7)))
    for j in range(tiles):
        for i in range(t):
            column = (j * t + i) * m
            nisa.nc_matmul(acc[:, j : j + 1, :], held[:, column : column + m], x[:, i : i + 1, :], accumulate=i > 0)
    return acc


def finished(acc: Any, y: Any, scale: Any, residual: Any, tile: int, at: int) -> None:
    """What `products` left, times its scale and with the residual, into y: (M, tiles of outs) float32."""
    m, tiles = acc.shape[0], acc.shape[1]
    made = nl.ndarray((m, tiles), nl.float32, buffer=nl.sbuf, name="sums", address=(0, at))
    nisa.tensor_reduce(made, nl.add, acc, axis=2)
    out = y[:, tile : tile + tiles]
    nisa.tensor_tensor(out, made, scale[:, tile : tile + tiles], nl.multiply)
    if residual is not None:
        nisa.tensor_tensor(out, out, residual[:, tile : tile + tiles], nl.add)


def turn(qkv: Any, y: Any, cosine: Any, sine: Any, position: Any, swap: Any, heads: int, context: int, at: int) -> None:
    """Rotary embedding of `heads` columns of qkv (64, all heads), at the position of this token."""
    angles = nl.ndarray((64, 2), nl.float32, buffer=nl.sbuf, name="angles", address=(0, at))
    nisa.dma_copy(angles[:, 0:1], cosine.ap(pattern=[[context, 64], [1, 1]], offset=0, scalar_offset=position))
    nisa.dma_copy(angles[:, 1:2], sine.ap(pattern=[[context, 64], [1, 1]], offset=0, scalar_offset=position))
    other = nl.ndarray((64, heads), nl.float32, buffer=nl.psum, name="swapped", address=(0, BANK))
    nisa.nc_matmul(other, swap[0:64, 0:64], qkv[:, 0:heads], accumulate=False)
    product = nl.ndarray((64, heads), nl.float32, buffer=nl.sbuf, name="product", address=(0, at + 64))
    nisa.tensor_scalar(product, other, nl.multiply, angles[:, 1:2])
    nisa.scalar_tensor_tensor(y, qkv[:, 0:heads], nl.multiply, angles[:, 0:1], nl.add, product)


def remember(keys: Any, values: Any, first: int, groups: int, context: int, keys_at: int, values_at: int) -> Any:
    """The caches of a layer's groups on chip: keys (64, groups, context) and values (128, groups, blocks, 64)."""
    blocks = context // 128
    cached = nl.ndarray((64, groups, context), nl.float32, buffer=nl.sbuf, name="keys", address=(0, keys_at))
    held = nl.ndarray((128, groups, blocks, 64), nl.float32, buffer=nl.sbuf, name="values", address=(0, values_at))
    for g in range(groups):
        nisa.dma_copy(cached[:, g : g + 1, :], keys[first + g])
        for b in range(blocks):
            nisa.dma_copy(held[:, g : g + 1, b : b + 1, :], values[first + g][128 * b : 128 * b + 128, :])
    return (cached, held)


def weighed(turned: Any, cached: Any, hidden: Any, groups: int, each: int, context: int, at: int) -> Any:
    """Softmax over the cache and, last, the token's own key: (32 * groups, context + 1), a group each 32 partitions.

    turned: (64, heads + groups), queries and then keys.  What lies between the groups is zero before the softmax.
    """
    heads, p = groups * each, 32 * groups
    q = nl.ndarray((64, groups, 32), nl.float32, buffer=nl.sbuf, name="queries", address=(0, at))
    nisa.memset(q, 0.0, engine=nisa.engine.gpsimd)
    nisa.tensor_scalar(q[:, :, 0:each], turned[:, 0:heads].reshape((64, groups, each)), nl.multiply, 0.125)
    dots = nl.ndarray((p, context), nl.float32, buffer=nl.psum, name="dots", address=(0, BANK))
    for g in range(groups):
        row = dots[32 * g : 32 * g + 32, :]
        nisa.nc_matmul(row, q[:, g : g + 1, :], cached[:, g : g + 1, :], accumulate=False)
    place = at + 4 * p
    scores = nl.ndarray((p, context + 1), nl.float32, buffer=nl.sbuf, name="scores", address=(0, place))
    nisa.tensor_tensor(scores[:, 0:context], dots, hidden[0:p, :], nl.add)
    own = nl.ndarray((p, 1), nl.float32, buffer=nl.psum, name="own", address=(0, BANK))
    for g in range(groups):
        key = turned[:, heads + g : heads + g + 1]
        nisa.nc_matmul(own[32 * g : 32 * g + 32, :], q[:, g : g + 1, :], key, accumulate=False)
    nisa.tensor_copy(scores[:, context : context + 1], own)
    top = nl.ndarray((p, 1), nl.float32, buffer=nl.sbuf, name="top", address=(0, place + 4 * context + 4))
    nisa.tensor_reduce(top, nl.maximum, scores, axis=1)
    mass = nl.ndarray((p, 1), nl.float32, buffer=nl.sbuf, name="mass", address=(0, place + 4 * context + 8))
    nisa.exponential(scores, scores, max_value=top, reduce_res=mass)
    nisa.reciprocal(mass, mass)
    nisa.tensor_scalar(scores, scores, nl.multiply, mass)
    return scores


def recollect(
    shares: Any, held: Any, qkv: Any, y: Any, ones: Any, groups: int, each: int, context: int, at: int
) -> None:  # fmt: skip
    """Values by their shares, of the cache and of the token itself: y (64, heads); qkv ends with the token's values."""
    p, first = 32 * groups, qkv.shape[1] - groups
    share = nl.ndarray((1, p), nl.float32, buffer=nl.psum, name="share", address=(0, BANK))
    nisa.nc_transpose(share, shares[:, context : context + 1])
    row = nl.ndarray((1, p), nl.float32, buffer=nl.sbuf, name="row", address=(0, at))
    nisa.tensor_copy(row, share)
    spread = nl.ndarray((64, p), nl.float32, buffer=nl.psum, name="spread", address=(0, BANK + 4 * p * 4))
    nisa.nc_matmul(spread, ones[0:1, 0:64], row, accumulate=False)
    mixed = nl.ndarray((64, p), nl.float32, buffer=nl.psum, name="mixed", address=(0, BANK + 4 * p * 3))
    for b in range(context // 128):
        place = 4 * p * (1 + b % 2)
        flipped = nl.ndarray((128, p), nl.float32, buffer=nl.psum, name="flipped", address=(0, BANK + place))
        nisa.nc_transpose(flipped, shares[:, 128 * b : 128 * b + 128])
        turned = nl.ndarray((128, p), nl.float32, buffer=nl.sbuf, name="turned", address=(0, at + place))
        nisa.tensor_copy(turned, flipped)
        for g in range(groups):
            part = mixed[:, 32 * g : 32 * g + 32]
            value = held[:, g : g + 1, b : b + 1, :]
            nisa.nc_matmul(part, value, turned[:, 32 * g : 32 * g + 32], accumulate=b > 0)
    kept = nl.ndarray((64, p), nl.float32, buffer=nl.sbuf, name="kept", address=(0, at + 4 * p * 3))
    nisa.tensor_copy(kept, mixed)
    for g in range(groups):
        part, value = slice(32 * g, 32 * g + each), qkv[:, first + g : first + g + 1]
        out = y[:, g * each : g * each + each]
        nisa.scalar_tensor_tensor(out, spread[:, part], nl.multiply, value, nl.add, kept[:, part])


def keep(
    turned: Any, qkv: Any, keys: Any, values: Any, position: Any, first: int, groups: int, each: int, context: int
) -> None:  # fmt: skip
    """The token's keys and values join the caches."""
    heads, last = groups * each, qkv.shape[1] - groups
    for g in range(groups):
        key, value = turned[:, heads + g : heads + g + 1], qkv[:, last + g : last + g + 1]
        place = keys[first + g].ap(pattern=[[context, 64], [1, 1]], offset=0, scalar_offset=position)
        nisa.dma_copy(place, key)
        place = values[first + g].ap(pattern=[[1, 64], [1, 1]], offset=0, scalar_offset=position * 64)
        nisa.dma_copy(place, value)


def hide(hidden: Any, position: Any, each: int, context: int, at: int) -> None:
    """-1e30 where the cache has nothing yet: from the position on."""
    place = nl.ndarray((each, 1), nl.int32, buffer=nl.sbuf, name="place", address=(0, at))
    nisa.dma_copy(place, position.ap(pattern=[[0, each], [1, 1]], offset=0))
    here = nl.ndarray((each, 1), nl.float32, buffer=nl.sbuf, name="here", address=(0, at + 4))
    nisa.tensor_copy(here, place)
    nisa.iota(hidden, [[1, context]])
    nisa.tensor_scalar(hidden, hidden, nl.greater_equal, here, op1=nl.multiply, operand1=-1e30)


def sampled(logits: Any, noise: Any, temperature: float, count: int, ones: Any, y: Any, at: int) -> None:
    """y = logits + temperature * noise for the `count` (at most 8) likeliest tokens, and far below for all others.

    With noise from Gumbel's distribution the largest of y is a token drawn by softmax(logits / temperature).  The eight
    largest of all are among the eight largest of each rank: ranks lie on eight partitions once they are turned.
    """
    p = logits.shape[0]
    best = nl.ndarray((p, 8), nl.float32, buffer=nl.sbuf, name="best", address=(0, at))
    nisa.max8(best, logits)
    turned = nl.ndarray((8, p), nl.float32, buffer=nl.psum, name="turned", address=(0, BANK))
    nisa.nc_transpose(turned, best)
    ranks = nl.ndarray((8, p), nl.float32, buffer=nl.sbuf, name="ranks", address=(0, at + 64))
    nisa.tensor_copy(ranks, turned)
    tops = nl.ndarray((8, 8), nl.float32, buffer=nl.sbuf, name="tops", address=(0, at + 64 + 4 * p))
    nisa.max8(tops, ranks)
    flat = nl.ndarray((1, 64), nl.float32, buffer=nl.psum, name="flat", address=(0, BANK + 4 * p))
    for k in range(8):
        nisa.nc_transpose(flat[:, 8 * k : 8 * k + 8], tops[:, k : k + 1])
    line = nl.ndarray((1, 64), nl.float32, buffer=nl.sbuf, name="line", address=(0, at + 128 + 4 * p))
    nisa.tensor_copy(line, flat)
    last = nl.ndarray((1, 8), nl.float32, buffer=nl.sbuf, name="last", address=(0, at + 384 + 4 * p))
    nisa.max8(last, line)
    spread = nl.ndarray((p, 1), nl.float32, buffer=nl.psum, name="spread", address=(0, BANK + 4 * p + 256))
    nisa.nc_matmul(spread, ones[0:1, 0:p], last[:, count - 1 : count], accumulate=False)
    bar = nl.ndarray((p, 1), nl.float32, buffer=nl.sbuf, name="bar", address=(0, at + 448 + 4 * p))
    nisa.tensor_copy(bar, spread)
    nisa.tensor_scalar(y, logits, nl.less, bar, op1=nl.multiply, operand1=-1e30)
    nisa.scalar_tensor_tensor(noise, noise, nl.multiply, temperature, nl.add, logits)
    nisa.tensor_tensor(y, y, noise, nl.add)


def pick(logits: Any, token: Any, position: Any, after: Any, at: int) -> None:
    """The likeliest token, and the position moves on: the largest of each partition, then among the partitions."""
    p = logits.shape[0]
    best = nl.ndarray((p, 8), nl.float32, buffer=nl.sbuf, name="best", address=(0, at))
    nisa.max8(best, logits)
    where = nl.ndarray((p, 8), nl.uint32, buffer=nl.sbuf, name="where", address=(0, at + 32))
    nisa.nc_find_index8(where, logits, best)
    names = nl.ndarray((p, 2), nl.float32, buffer=nl.sbuf, name="names", address=(0, at + 64))
    nisa.iota(names[:, 1:2], [[1, 1]], offset=0, channel_multiplier=1)
    nisa.tensor_copy(names[:, 0:1], where[:, 0:1])
    nisa.scalar_tensor_tensor(names[:, 0:1], names[:, 0:1], nl.multiply, 1.0 * p, nl.add, names[:, 1:2])
    flat = nl.ndarray((1, 2 * p), nl.float32, buffer=nl.psum, name="flat", address=(0, BANK))
    nisa.nc_transpose(flat[:, 0:p], best[:, 0:1])
    nisa.nc_transpose(flat[:, p : 2 * p], names[:, 0:1])
    line = nl.ndarray((1, 2 * p), nl.float32, buffer=nl.sbuf, name="line", address=(0, at + 128))
    nisa.tensor_copy(line, flat)
    top = nl.ndarray((1, 8), nl.float32, buffer=nl.sbuf, name="top", address=(0, at + 128 + 8 * p))
    nisa.max8(top, line[:, 0:p])
    won = nl.ndarray((1, p), nl.float32, buffer=nl.sbuf, name="won", address=(0, at + 192 + 8 * p))
    nisa.tensor_scalar(won, line[:, 0:p], nl.less, top[:, 0:1], op1=nl.multiply, operand1=1e9)
    nisa.tensor_tensor(won, won, line[:, p : 2 * p], nl.add)
    number = nl.ndarray((1, 1), nl.float32, buffer=nl.sbuf, name="number", address=(0, at + 192 + 12 * p))
    nisa.tensor_reduce(number, nl.minimum, won, axis=1)
    whole = nl.ndarray((1, 2), nl.int32, buffer=nl.sbuf, name="whole", address=(0, at + 256 + 12 * p))
    nisa.tensor_copy(whole[:, 0:1], number)
    nisa.dma_copy(token, whole[:, 0:1])
    nisa.dma_copy(whole[:, 1:2], position)
    nisa.tensor_scalar(whole[:, 1:2], whole[:, 1:2], nl.add, 1.0)
    nisa.dma_copy(after, whole[:, 1:2])

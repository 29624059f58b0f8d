"""What the reference of the LLM's tasks means: each against its formula in float64, in torch."""

from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from rig.cases import Bench

from reverie.kernels import reference
from reverie.kernels.program import Role
from reverie.kernels.reference_lanes import unpacked
from reverie.kernels.tasks import HEAD, NONE, Embed, Norm, Pick, Project, Recollect, Ref, Task

WIDTH, OUTS = 192, 64


def ran(bench: Bench, *tasks: Task) -> list[Any]:
    arrays = [bench.given[b.name] for b in bench.builder.buffers]
    for task in tasks:
        reference.run(task, arrays)
    return arrays


def floats(arrays: list[Any], ref: Ref, *shape: int) -> torch.Tensor:
    raw = arrays[ref.buffer][ref.offset : ref.offset + 4 * int(np.prod(shape))]
    return torch.from_numpy(raw.view(np.float32).reshape(shape).astype(np.float64))


@pytest.mark.parametrize("norm", Norm)
@pytest.mark.parametrize("gated", [0, 1])
@pytest.mark.parametrize("residual", [False, True])
def test_a_projection_is_a_linear_layer(norm: Norm, gated: int, residual: bool) -> None:
    b, count = Bench(3), 5
    packed = b.rng.integers(-127, 128, OUTS * WIDTH).astype(np.int8)
    weight = unpacked(packed, OUTS)
    x, gain, scale = b.floats(count, WIDTH * (1 + gated), scale=3), b.floats(WIDTH), b.floats(OUTS, scale=1e-3)
    y, skip = b.floats(count, OUTS, role=Role.OUTPUT), b.floats(count, OUTS) if residual else NONE
    task = Project(
        x=x, gain=gain if norm == Norm.RMS else NONE, weight=b.put(packed), scale=scale, residual=skip, y=y,
        sums=b.put((-128 * weight.sum(1)).astype(np.int32)), count=count, width=WIDTH, outs=OUTS, norm=int(norm),
        gated=gated, epsilon=1e-5, begin=0, end=OUTS,
    )  # fmt: skip
    arrays = ran(b, task)
    v = floats(arrays, x, count, WIDTH * (1 + gated))
    if gated:
        v = F.silu(v[:, :WIDTH]) * v[:, WIDTH:]
    if norm == Norm.RMS:
        v = F.rms_norm(v, (WIDTH,), floats(arrays, gain, WIDTH), 1e-5)
    if norm == Norm.LAYER:
        v = F.layer_norm(v, (WIDTH,), eps=1e-5)
    exact = v @ torch.from_numpy(weight).double().T * floats(arrays, scale, OUTS)
    if residual:
        exact = exact + floats(arrays, skip, count, OUTS)
    np.testing.assert_allclose(floats(arrays, y, count, OUTS), exact, atol=2e-4 * float(exact.abs().max()))


@pytest.mark.parametrize("count, position", [(1, 0), (1, 37), (16, 40), (9, 60)])
def test_recollection_is_causal_attention_over_a_cache(count: int, position: int) -> None:
    b, heads, groups, context = Bench(4), 6, 2, 64
    qkv, rope, y = (
        b.floats(count, heads + 2 * groups, HEAD),
        b.floats(context, HEAD),
        b.floats(count, heads, HEAD, role=Role.OUTPUT),
    )
    caches = [b.floats(2, context, HEAD, role=Role.STATE) for _ in range(groups)]
    place = b.put(np.int32(position))
    bench_before = [floats([b.given[x.name] for x in b.builder.buffers], cache, 2, context, HEAD) for cache in caches]
    tasks = [Recollect(qkv=qkv, rope=rope, cache=cache, position=place, y=y, count=count, context=context, heads=heads,
                       groups=groups, group=g) for g, cache in enumerate(caches)]  # fmt: skip
    arrays = ran(b, *tasks)
    x, angle = floats(arrays, qkv, count, heads + 2 * groups, HEAD), floats(arrays, rope, context, 2, HEAD // 2)

    def turn(x: torch.Tensor, at: int) -> torch.Tensor:
        low, high = x.split(HEAD // 2, -1)
        cos, sin = angle[at]
        return torch.cat((low * cos - high * sin, high * cos + low * sin), -1)

    known = min(count, context - position)
    for g, old in enumerate(bench_before):
        for n in range(known):
            old[:, position + n] = torch.stack((turn(x[n, heads + g], position + n), x[n, heads + groups + g]))
            for h in range(g * heads // groups, (g + 1) * heads // groups):
                end = position + n + 1
                exact = torch.softmax(old[0, :end] @ turn(x[n, h], position + n) / 8, 0) @ old[1, :end]
                np.testing.assert_allclose(floats(arrays, y, count, heads, HEAD)[n, h], exact, atol=1e-4)
        np.testing.assert_allclose(floats(arrays, caches[g], 2, context, HEAD), old, atol=1e-5)


def test_embedding_is_a_row_of_the_table() -> None:
    b = Bench(5)
    packed, scale, tokens = b.rng.integers(-127, 128, 32 * 64).astype(np.int8), b.floats(32), [5, 31, 0]
    y = b.floats(3, 64, role=Role.OUTPUT)
    task = Embed(
        tokens=b.put(np.array(tokens, np.int32)),
        weight=b.put(packed),
        scale=scale,
        y=y,
        count=3,
        width=64,
        vocabulary=32,
    )
    arrays = ran(b, task)
    exact = torch.from_numpy(unpacked(packed, 32)).double()[tokens] * floats(arrays, scale, 32)[tokens, None]
    np.testing.assert_allclose(floats(arrays, y, 3, 64), exact, rtol=1e-6)


def test_the_likeliest_token_is_picked_and_the_first_of_equals() -> None:
    b = Bench(6)
    logits, token = b.floats(512), b.put(np.int32(0), Role.OUTPUT)
    position = b.put(np.int32(3), Role.STATE)
    values = b.given["b0"][: 4 * 512].view(np.float32)
    values[[77, 300]] = 9.0
    arrays = ran(b, Pick(logits=logits, token=token, position=position, vocabulary=512))
    assert arrays[token.buffer].view(np.int32)[0] == 77
    assert arrays[position.buffer].view(np.int32)[0] == 4

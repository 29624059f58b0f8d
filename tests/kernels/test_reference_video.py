"""What the reference of the video tasks means: each against its formula in float64, in torch."""

from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from rig.cases import CASES

from reverie.kernels import reference
from reverie.kernels.reference_lanes import unpacked
from reverie.kernels.reference_video import keys_values
from reverie.kernels.tasks import BLOCK, BLOCK_BYTES, HEAD, Activation, Attention, Conv, Heads, Modulate, Picture, Ref
from reverie.kernels.tasks import Unshuffle as UnshuffleTask

DTYPES = {"float": np.float32, "byte": np.uint8, "sign": np.int8, "int": np.int32}


class Ran:
    """A case of test_reference.py after the reference ran it; arrays as float64 tensors."""

    def __init__(self, name: str) -> None:
        self.bench, self.tasks = CASES[name](7)
        buffers = [b.name for b in self.bench.builder.buffers]
        self.arrays = [self.bench.given[b].copy() for b in buffers]
        for task in self.tasks:
            reference.run(task, self.arrays)

    def raw(self, ref: Ref, kind: str, *shape: int) -> Any:
        size = int(np.prod(shape)) * np.dtype(DTYPES[kind]).itemsize
        return self.arrays[ref.buffer][ref.offset : ref.offset + size].view(DTYPES[kind]).reshape(shape)

    def get(self, ref: Ref, kind: str, *shape: int) -> torch.Tensor:
        return torch.from_numpy(self.raw(ref, kind, *shape).astype(np.float64))


def nearly(bytes_: Any, exact: torch.Tensor, within: float = 0.51) -> None:
    """Bytes are the exact values, rounded and clamped."""
    assert np.abs(bytes_.astype(np.float64) - exact.clamp(0, 255).numpy()).max() <= within


@pytest.mark.parametrize("name", [name for name in CASES if name.startswith("conv")])
def test_a_convolution_is_one(name: str) -> None:
    ran = Ran(name)
    t = ran.tasks[0]
    assert isinstance(t, Conv)
    x = ran.get(t.x, "byte", t.height, t.width, t.channels)
    if t.beside.buffer >= 0:
        x = torch.cat((x, ran.get(t.beside, "byte", t.height, t.width, t.beside_channels)), 2)
    x = x.permute(2, 0, 1)[None]
    packed = ran.raw(t.weight, "sign", t.outs * t.depth())
    weight = (
        torch.from_numpy(unpacked(packed, t.outs)).double().reshape(t.outs, t.kernel, t.kernel, -1).permute(0, 3, 1, 2)
    )
    pad = t.kernel // 2 if t.kernel == 3 else 0
    sums = F.conv2d(F.pad(x, [pad] * 4, value=t.x_zero), weight, stride=2 if t.kernel == 2 else 1)[0]
    column = lambda ref, kind, n: ran.get(ref, kind, n)[:, None, None]
    y = (sums + column(t.bias, "int", t.outs)) * column(t.scale, "float", t.outs) + column(t.shift, "float", t.outs)
    if t.shuffle:
        y = y.reshape(2, 2, t.outs // 4, *y.shape[1:]).permute(2, 3, 0, 4, 1).reshape(t.outs // 4, 2 * t.height, -1)
    if t.residual.buffer >= 0:
        skip = ran.get(t.residual, "byte", *y.shape[1:], y.shape[0]).permute(2, 0, 1)
        y = y + skip * column(t.residual_scale, "float", len(y))
    if t.activation == Activation.HARD_SWISH:
        y = y * (y * np.float32(t.gate) + 0.5).clamp(0, 1)
    nearly(ran.raw(t.y, "byte", *y.shape[1:], len(y)), y.permute(1, 2, 0) + t.y_zero)


def test_unshuffling_is_torchs_with_the_corner_first() -> None:
    ran = Ran("unshuffle")
    t = ran.tasks[0]
    assert isinstance(t, UnshuffleTask)
    picture = ran.get(t.x, "byte", 12, 48, 3).permute(2, 0, 1)
    y = F.pixel_unshuffle(picture, 2).reshape(3, 4, 6, 24).permute(2, 3, 1, 0).reshape(6, 24, 12)
    mine = ran.raw(t.y, "byte", 6, 24, 16)[1:]
    np.testing.assert_array_equal(mine[..., :12], y[1:].numpy())
    assert (mine[..., 12:] == t.zero).all()


def test_modulation_is_a_norm_with_gain_and_shift() -> None:
    ran = Ran("modulate")
    t = ran.tasks[0]
    assert isinstance(t, Modulate)
    x = ran.get(t.x, "byte", 9, t.width) - t.x_zero
    y = F.rms_norm(x, (t.width,), eps=1e-6) * ran.get(t.gain, "float", t.width) + ran.get(t.shift, "float", t.width)
    nearly(ran.raw(t.y, "byte", 9, t.width), y + t.y_zero)


def turned(x: torch.Tensor, rope: torch.Tensor) -> torch.Tensor:
    x = F.rms_norm(x, (HEAD,), eps=1e-6)
    low, high = x[..., : HEAD // 2], x[..., HEAD // 2 :]
    cos, sin = rope[:, 0, None], rope[:, 1, None]
    return torch.cat((low * cos - high * sin, low * sin + high * cos), -1)


def test_heads_are_normed_turned_and_packed() -> None:
    ran = Ran("heads")
    t = ran.tasks[0]
    assert isinstance(t, Heads)
    qkv = ran.get(t.qkv, "byte", t.tokens, 3, t.heads, HEAD) - 128
    rope = ran.get(t.rope, "float", t.tokens, 2, HEAD // 2)
    nearly(ran.raw(t.q, "byte", t.tokens, t.heads, HEAD), (turned(qkv[:, 0], rope) * 127 / 8).clamp(-127, 127) + 128)
    blocks = ran.raw(t.kv, "byte", t.heads, 2, BLOCK_BYTES)
    for h in range(t.heads):
        k, v = keys_values(blocks[h])
        exact = (turned(qkv[:, 1], rope)[:, h] * 127 / 8).clamp(-127, 127)
        assert np.abs(k[: t.tokens] - exact.numpy()).max() <= 0.51
        np.testing.assert_array_equal(v[: t.tokens], qkv[:, 2, h].numpy())
        assert not k[t.tokens :].any()


@pytest.mark.parametrize("name", ["attention, sharp", "attention over whole blocks, sharp"])
def test_attention_is_a_softmax_over_all_frames_and_the_style(name: str) -> None:
    ran = Ran(name)
    t = ran.tasks[0]
    assert isinstance(t, Attention)
    step, y = 8 / 127, ran.raw(t.y, "byte", t.tokens, t.heads, HEAD)
    q = (ran.get(t.q, "byte", t.tokens, t.heads, HEAD) - 128) * step
    past = ran.get(t.past, "float", t.heads, HEAD)
    for h in range(t.heads):
        keys, values = [], []
        for ref, count, old in ((t.sink, t.tokens, 1), (t.old, t.tokens, 1), (t.recent, t.tokens, 1),
                                (t.now, t.tokens, 0), (t.style, t.style_tokens, 0)):  # fmt: skip
            k, v = keys_values(ran.raw(ref, "byte", t.heads, -(-count // BLOCK), BLOCK_BYTES)[h])
            keys.append(torch.from_numpy(k[:count] * step) + old * past[h])
            values.append(torch.from_numpy(v[:count]).double())
        weights = torch.softmax(q[:, h] @ torch.cat(keys).T / 8, -1)
        nearly(y[:, h], weights @ torch.cat(values) * t.scale + 128, within=3)


def test_a_picture_is_recoloured_and_mixed() -> None:
    ran = Ran("picture")
    t = ran.tasks[0]
    assert isinstance(t, Picture)
    source = ran.get(t.source, "byte", 12, 48, 3)
    matrix = ran.get(t.colour, "float", 3, 4)
    residual = ran.get(t.residual, "byte", 6, 24, 16)[..., :12].reshape(6, 24, 2, 2, 3)
    add = (residual.permute(0, 2, 1, 3, 4).reshape(12, 48, 3) - t.zero) * t.step
    v = (source / 127.5 - 1) @ matrix[:, :3].T + matrix[:, 3] + add
    full = v.clamp(-1, 1) * 127.5 + 127.5
    nearly(ran.raw(t.y, "byte", 12, 48, 3), source + (full - source) * ran.get(t.strength, "float", 1))

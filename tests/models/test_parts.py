"""`nano` in bytes: every layer where the program looks for it, its channels in the program's order."""

import itertools

import numpy as np
import pytest

from reverie.kernels.reference_lanes import unpacked
from reverie.models.lowering import Lowering
from reverie.models.parts import SOURCE_PADDED, Parts
from reverie.models.quantise import F32


def weight(parts: Parts, name: str, depth: int) -> F32:
    """A layer's weights (O, k) as real numbers times their input's step; half a step of the weights may be lost."""
    layer = parts.layers[name]
    outs = len(layer.step)
    packed = parts.constant[layer.weight : layer.weight + outs * depth].view(np.int8)
    return (unpacked(packed, outs) * layer.step[:, None]).astype(np.float32)


def close(mine: F32, theirs: F32, step: F32) -> None:
    """To half a step of the weights."""
    np.testing.assert_allclose(mine, theirs, rtol=0, atol=0.51 * float(step.max()))


def test_a_residual_block_reads_its_channels_pixel_by_pixel(parts: Parts) -> None:
    mine = weight(parts, "mixers.0.a", 9 * 192).reshape(192, 3, 3, 192)
    close(
        mine,
        parts.weights["mixers.0.a.weight"].transpose(0, 2, 3, 1) * parts.quants["blocks.0"].step,
        parts.layers["mixers.0.a"].step,
    )


def test_the_stem_reads_corners_before_colours_and_nothing_of_the_padding(parts: Parts) -> None:
    mine = weight(parts, "encoder.stem", 9 * SOURCE_PADDED).reshape(32, 3, 3, SOURCE_PADDED)
    theirs = parts.weights["encoder.stem.weight"] * np.float32(parts.quants["pixel"].step)
    for dy, dx, colour in itertools.product(range(2), range(2), range(3)):
        close(
            mine[..., 6 * dy + 3 * dx + colour], theirs[:, 4 * colour + 2 * dy + dx], parts.layers["encoder.stem"].step
        )
    assert not mine[..., 12:].any()


def test_a_downward_layer_reads_four_neighbours(parts: Parts) -> None:
    mine = weight(parts, "down", 4 * 128).reshape(192, 2, 2, 128)
    theirs = parts.weights["down.conv.weight"].reshape(192, 128, 2, 2) * np.float32(parts.quants["before"].step)
    close(mine, theirs.transpose(0, 2, 3, 1), parts.layers["down"].step)


def test_an_upward_layer_gives_one_corner_after_the_other(parts: Parts) -> None:
    mine = weight(parts, "up_half.conv", 64).reshape(2, 2, 32, 64)
    theirs = parts.weights["up_half.conv.weight"].reshape(32, 2, 2, 64) * np.float32(parts.quants["at_quarter"].step)
    close(mine, theirs.transpose(1, 2, 0, 3), parts.layers["up_half.conv"].step)


def test_the_head_gives_corners_before_colours(parts: Parts) -> None:
    mine = weight(parts, "head", 9 * 32).reshape(SOURCE_PADDED, 3, 3, 32)
    theirs = parts.weights["head.weight"].transpose(0, 2, 3, 1) * np.float32(parts.quants["head.x"].step)
    for dy, dx, colour in itertools.product(range(2), range(2), range(3)):
        close(mine[6 * dy + 3 * dx + colour], theirs[4 * colour + 2 * dy + dx], parts.layers["head"].step)
    assert not mine[12:].any()


def test_a_join_has_a_step_for_each_of_its_inputs(parts: Parts) -> None:
    mine = weight(parts, "up_half.join", 64)
    theirs = parts.weights["up_half.join.weight"].reshape(32, 64)
    close(mine[:, :32], theirs[:, :32] * np.float32(parts.quants["up_half.up"].step), parts.layers["up_half.join"].step)
    close(mine[:, 32:], theirs[:, 32:] * np.float32(parts.quants["half"].step), parts.layers["up_half.join"].step)


def test_keys_of_earlier_frames_have_their_bias(parts: Parts) -> None:
    for i, offset in enumerate(parts.past):
        stored = parts.constant[offset : offset + 4 * 192].view(np.float32)
        np.testing.assert_array_equal(stored, parts.weights[f"blocks.{i}.past"].reshape(-1))


@pytest.mark.parametrize("size", [(48, 80), (288, 512)])
def test_what_programs_read_of_weights_and_style_never_overlaps(parts: Parts, size: tuple[int, int]) -> None:
    """Neighbouring layers, or two numbers of a style, at the same place would show here."""
    program, _ = Lowering(parts, *size, 2).build()
    for name in ("video.weights", "style"):
        buffer = program.find(name)
        spans = sorted({at[1:] for node in program.nodes for at in node.task.reads() if at.buffer == buffer})
        assert all(one[1] <= two[0] for one, two in itertools.pairwise(spans)), name
        assert spans[0][0] == 0 and spans[-1][1] <= program.buffers[buffer].bytes < spans[-1][1] + 64

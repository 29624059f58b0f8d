"""The numbers of a style in NumPy against the network's own, in torch."""

import numpy as np
import pytest
import torch
from torch import Tensor

from reverie.models import weights
from reverie.models.config import NANO
from reverie.models.network import Network, Style
from reverie.models.parts import Parts
from reverie.models.quantise import F32
from reverie.models.style import condition, style, style_tokens

STATES = np.random.default_rng(0).normal(0, 2, (9, NANO.llm_width * len(NANO.llm_layers))).astype(np.float32)
TIMES = (1.0, 0.25)


@pytest.fixture(scope="module")
def network() -> Network:
    network = Network(NANO)
    network.load_state_dict(weights.load(weights.SHIPPED))
    return network.eval().requires_grad_(False)


@pytest.fixture(scope="module")
def tokens(network: Network) -> Tensor:
    return network.connector(torch.from_numpy(STATES)[None], torch.ones(1, len(STATES), dtype=torch.bool))


@pytest.fixture(scope="module")
def expected(network: Network, tokens: Tensor) -> Style:
    return network.style(tokens, torch.ones(1))


def numbers(parts: Parts, name: str, *shape: int) -> F32:
    at = parts.style[name]
    slot = style(parts, style_tokens(parts, STATES))
    return slot[at : at + 4 * int(np.prod(shape))].view(np.float32).reshape(shape)


def close(mine: F32, theirs: F32) -> None:
    np.testing.assert_allclose(mine, theirs, rtol=1e-4, atol=1e-4 * float(np.abs(theirs).max()))


def flat(x: Tensor) -> F32:
    return x.flatten().numpy()


def test_style_tokens_and_their_condition_are_the_connectors(parts: Parts, network: Network, tokens: Tensor) -> None:
    mine = style_tokens(parts, STATES)
    close(mine, tokens[0].numpy())
    for t in TIMES:
        close(condition(parts, mine, t), flat(network.connector.condition(tokens, torch.tensor([t]))))


def test_the_colour_matrix_is_the_networks(parts: Parts, expected: Style) -> None:
    close(numbers(parts, "colour", 12), flat(expected.colour))


def test_films_scale_and_shift_the_sums(parts: Parts, expected: Style) -> None:
    names = ["before", "mixers.0", "mixers.1", "after", "at_quarter", "at_half"]
    for name, film in zip(names, expected.films, strict=False):
        layer, step = parts.layers[f"{name}.a"], np.float32(parts.quants[f"{name}.h"].step)
        scale, shift = numbers(parts, f"{name}.a", 2, len(layer.step))
        close(scale * step, layer.step * (1 + flat(film.scale)))
        close(shift * step, layer.add * (1 + flat(film.scale)) + flat(film.shift))


def test_the_last_film_scales_the_residual_too(parts: Parts, expected: Style) -> None:
    """film(sum * step + add + (residual - zero) * its step), whatever the bytes are."""
    film, layer, skip = expected.films[-1], parts.layers["at_half.b"], parts.quants["up_half"]
    scale, shift, share = numbers(parts, "at_half.b", 3, 32)
    rng = np.random.default_rng(1)
    sums, residual = rng.integers(-9999, 9999, 32).astype(np.float32), rng.integers(0, 256, 32).astype(np.float32)
    mine = (sums * scale + shift + residual * share) * np.float32(parts.quants["head.x"].step)
    before = sums * layer.step + layer.add + (residual - skip.zero) * np.float32(skip.step)
    close(mine, before * (1 + flat(film.scale)) + flat(film.shift))


def test_modulations_are_the_networks(parts: Parts, expected: Style) -> None:
    for i, pair in enumerate(expected.modulations):
        for part, modulation in zip(("n1", "n2"), pair, strict=True):
            step = np.float32(parts.quants[f"blocks.{i}.{part}"].step)
            gain, shift = numbers(parts, f"blocks.{i}.{part}", 2, 192)
            close(gain * step, 1 + flat(modulation.scale))
            close(shift * step, flat(modulation.shift))


def test_gates_are_the_networks(parts: Parts, expected: Style) -> None:
    for i, pair in enumerate(expected.modulations):
        before = "blocks.0.x" if i == 0 else f"mixers.{i - 1}"
        for name, modulation, out, skip in (
            ("proj", pair[0], f"blocks.{i}.between", before), ("down", pair[1], f"blocks.{i}", f"blocks.{i}.between"),
        ):  # fmt: skip
            layer, step, past = (
                parts.layers[f"blocks.{i}.{name}"],
                np.float32(parts.quants[out].step),
                parts.quants[skip],
            )
            scale, shift = numbers(parts, f"blocks.{i}.{name}", 2, 192)
            close(scale * step, flat(modulation.gate) * layer.step)
            close(shift * step + past.zero * np.float32(past.step), flat(modulation.gate) * layer.add)


def test_style_keys_and_values_are_packed_as_those_of_a_frame(parts: Parts, expected: Style) -> None:
    """Read back as the reference's attention reads them."""
    from reverie.kernels.reference_video import keys_values
    from reverie.kernels.tasks import BLOCK, BLOCK_BYTES, HEAD

    slot = style(parts, style_tokens(parts, STATES))
    for i, kv in enumerate(expected.tokens):
        at, step = parts.style[f"blocks.{i}.kv"], parts.quants[f"blocks.{i}.v"].step
        blocks = slot[at : at + 3 * BLOCK_BYTES].reshape(3, 1, BLOCK_BYTES)
        for h in range(3):
            k, v = keys_values(blocks[h])
            np.testing.assert_allclose(k[:16] * 8 / 127, kv.k[0, h].numpy(), atol=0.6 * 8 / 127)
            wanted = np.clip(kv.v[0, h].numpy(), -128 * step, 127 * step)
            np.testing.assert_allclose(v[:16] * step, wanted, atol=0.51 * step)
            assert not k[16:].any() and not v[16:].any()
            sums = np.ascontiguousarray(blocks[h, 0, 2 * BLOCK * HEAD :]).view(np.int32)
            np.testing.assert_array_equal(sums, -128 * k.sum(1))

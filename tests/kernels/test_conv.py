"""Every path on every shape: the same bits as the oracle."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reverie.kernels import _cpu, reference
from reverie.kernels.conv import Activation, Conv, run

PATHS = _cpu.paths()


@st.composite
def cases(draw: Any) -> tuple[Conv, dict[str, Any]]:
    """A convolution and its operands, extreme values included."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    kernel, shuffle = draw(st.sampled_from([1, 2, 3])), draw(st.booleans())
    height, width = (draw(st.integers(1, 9)) * (2 if kernel == 2 else 1) for _ in range(2))
    width += draw(st.sampled_from([0, 0, 26]))
    channels, outs = 16 * draw(st.integers(1, 4)), (64 if shuffle else 16) * draw(st.integers(1, 3))
    extreme = draw(st.booleans())
    u8 = lambda *shape: (
        rng.choice([0, 255], shape).astype(np.uint8) if extreme else rng.integers(0, 256, shape, np.uint8)
    )
    beside = u8(height, width, 32) if kernel == 1 and draw(st.booleans()) else None
    depth = channels + (0 if beside is None else 32)
    weight = (
        rng.choice([-128, 127], (outs, kernel, kernel, depth))
        if extreme
        else rng.integers(-128, 128, (outs, kernel, kernel, depth))
    )
    activation = draw(st.sampled_from(list(Activation)))
    scale = (rng.uniform(0.2, 1.5, outs) / (depth * kernel**2) ** 0.5 / 60).astype(np.float32)
    conv = Conv(
        weight.astype(np.int8), scale, rng.uniform(90, 160, outs).astype(np.float32), activation,
        gate=float(np.float32(rng.uniform(0.005, 0.05))), residual_scale=float(np.float32(rng.uniform(0.3, 1.2))),
        table=rng.integers(0, 256, 256, np.uint8) if activation == Activation.TABLE else None, shuffle=shuffle,
    )  # fmt: skip
    x = u8(height, width, channels)
    residual = u8(*conv.shape(x)) if activation != Activation.TABLE and draw(st.booleans()) else None
    return conv, {"x": x, "residual": residual, "beside": beside}


@settings(max_examples=150, deadline=None)
@given(case=cases(), path=st.sampled_from(PATHS), workers=st.integers(1, 3))
def test_every_path_gives_the_bits_of_the_oracle(case: tuple[Conv, dict[str, Any]], path: str, workers: int) -> None:
    conv, operands = case
    assert np.array_equal(run(conv, **operands, path=path, workers=workers), reference.run(conv, **operands))


def test_the_portable_path_is_always_there_and_the_quickest_is_first() -> None:
    assert PATHS[-1] == "portable"
    assert [p for p in ("avx512vnni", "avxvnni", "avx2", "portable") if p in PATHS] == PATHS


def small(**changes: Any) -> Conv:
    fields: dict[str, Any] = {
        "weight": np.ones((16, 3, 3, 16), np.int8), "scale": np.ones(16, np.float32), "shift": np.ones(16, np.float32),
    }  # fmt: skip
    return Conv(**(fields | changes))


@pytest.mark.parametrize(
    ("conv", "x", "more", "word"),
    [
        (small(), (4, 4, 8), {}, "multiple of 16, got 8"),
        (small(), (4, 4, 32), {}, "weight must hold"),
        (small(weight=np.ones((16, 2, 2, 16), np.int8)), (5, 4, 16), {}, "even sides"),
        (small(scale=np.ones(8, np.float32)), (4, 4, 16), {}, "one value per out"),
        (small(), (4, 4, 16), {"residual": np.zeros((1, 1, 16), np.uint8)}, "residual must be as y"),
        (small(), (4, 4, 16), {"beside": np.zeros((4, 4, 16), np.uint8)}, "beside must be as x"),
        (small(), (4, 4, 16), {"path": "none"}, "no path 'none'"),
        (small(), (4, 4, 16), {"workers": 0}, "workers"),
        (small(activation=Activation.TABLE), (4, 4, 16), {}, "a table goes with"),
        (small(), (0, 4, 16), {}, "empty"),
    ],
)
def test_what_does_not_fit_is_refused_with_the_numbers(conv: Conv, x: Any, more: dict[str, Any], word: str) -> None:
    with pytest.raises(ValueError, match=word):
        run(conv, np.zeros(x, np.uint8), **more)


def test_other_types_are_refused() -> None:
    with pytest.raises(TypeError):
        run(small(), np.zeros((4, 4, 16), np.int8))  # type: ignore[arg-type]


def test_the_zero_point_is_nothing() -> None:
    """A picture of zero-points gives the shift alone, at the border as inside."""
    conv = small(weight=np.random.default_rng(0).integers(-128, 128, (16, 3, 3, 16)).astype(np.int8))
    assert np.all(run(conv, np.full((5, 5, 16), 128, np.uint8)) == 1)

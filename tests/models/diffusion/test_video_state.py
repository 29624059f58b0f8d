"""A video stream as bytes."""

from pathlib import Path

import numpy as np
import pytest

from reverie.models.diffusion.network import load


@pytest.mark.parametrize("kept_at", [18, 24, 25, 26])  # between chunks; in the middle of one's work
@pytest.mark.parametrize("skip", [0.0, 4.0])
@pytest.mark.parametrize("look", ["fox", "fox --no blur"])
def test_a_saved_stream_goes_on_identically(wan: Path, kept_at: int, skip: float, look: str) -> None:
    model, frames = load(wan, "cpu", skip=skip), np.random.default_rng(0).integers(0, 256, (38, 64, 96, 3), np.uint8)
    if skip:  # all but a corner rests
        frames[:, 16:] = frames[0, 16:]
        frames[:, :16, 16:] = frames[0, :16, 16:]
    whole, late = model.stream(), model.stream()
    whole.start(look, seed=1)
    whole.step(frames[:kept_at])
    late.load(whole.save())
    expected = whole.step(frames[kept_at:])
    assert np.array_equal(late.step(frames[kept_at:]), expected)
    assert not np.array_equal(expected[-1], expected[-5]) and (whole.work_saved > 0) == (skip > 0)


def test_what_is_no_stream_is_one_sentence(wan: Path, lucy: Path) -> None:
    stream, other = load(wan, "cpu").stream(), load(lucy, "cpu").stream()
    with pytest.raises(ValueError, match="not a saved stream of tiny-wan"):
        stream.load(b"something else")
    other.start("fox")
    other.step(np.zeros((1, 32, 32, 3), np.uint8))
    with pytest.raises(ValueError, match="not a saved stream of tiny-wan"):
        stream.load(other.save())

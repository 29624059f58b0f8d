"""The toy keeps the contract that the real model keeps."""

import numpy as np
import pytest

from reverie.models.toy import ToyModel

CLIP = np.random.default_rng(0).integers(0, 256, (6, 16, 32, 3), dtype=np.uint8)


def test_chunks_seed_and_saved_state_make_no_difference() -> None:
    stream, other = ToyModel().stream(), ToyModel().stream()
    stream.start("red")
    whole = stream.step(CLIP)
    stream.start("red")
    parts = [stream.step(CLIP[:2])]
    other.load(stream.save())
    assert np.array_equal(np.concatenate([*parts, other.step(CLIP[2:])]), whole)


def test_strength_and_empty_prompts() -> None:
    stream = ToyModel().stream()
    for prompt, strength in (("red", 0.0), ("", 1.0)):
        stream.start(prompt, strength=strength)
        assert np.array_equal(stream.step(CLIP), CLIP)
    stream.start("invert")
    assert np.array_equal(stream.step(CLIP), 255 - CLIP)


def test_a_reference_picture_tints_in_its_mean_colour() -> None:
    model = ToyModel()
    name = model.picture(np.full((16, 16, 3), (255, 0, 51), np.uint8))
    stream, other = model.stream(), ToyModel().stream()
    stream.start([(name, 1.0)])
    shown = stream.step(CLIP)
    assert np.array_equal(shown[..., 0], 255 - CLIP[..., 0]) and not shown[..., 1].any()
    assert np.abs(shown[..., 2] - (255.0 - CLIP[..., 2]) / 5).max() <= 0.5
    other.load(stream.save())  # in another process, where nobody knows the picture
    assert np.array_equal(other.step(CLIP), shown)
    with pytest.raises(ValueError, match="no reference picture"):
        stream.start("picture:123")


def test_mistakes_are_refused() -> None:
    stream = ToyModel().stream()
    with pytest.raises(RuntimeError):
        stream.step(CLIP)
    with pytest.raises(ValueError):
        stream.start("x", strength=2)
    with pytest.raises(ValueError):
        stream.load(b"nonsense")
    stream.start("crash")
    with pytest.raises(RuntimeError, match="asked to crash"):
        stream.step(np.concatenate([CLIP, CLIP]))

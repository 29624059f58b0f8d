"""The default model with its shipped weights and its LLM."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from reverie.models import nano, nano_kernel, registry, weights
from reverie.models.stream import Frames

Nano = nano.Nano | nano_kernel.Nano


@pytest.fixture(scope="module", params=["cpu", "torch"])
def model(request: pytest.FixtureRequest) -> Nano:
    return registry.load("nano", request.param)  # type: ignore[return-value]


@pytest.fixture(scope="module")
def through_torch() -> nano.Nano:
    return nano.load()


def clip(count: int = 5, height: int = 48, width: int = 64) -> Frames:
    """Smooth pictures that move."""
    y, x, n = np.meshgrid(np.arange(height), np.arange(width), np.arange(count), indexing="ij")
    planes = [128 + 100 * np.sin((x + 3 * n) / 9 + p) * np.cos(y / 7 - p) for p in range(3)]
    return np.stack(planes, -1).transpose(2, 0, 1, 3).astype(np.uint8)


def play(model: Nano, frames: Frames, cuts: list[int], prompt: str = "neon outlines", seed: int = 1) -> Frames:
    stream = model.stream()
    stream.start(prompt, seed)
    return np.concatenate([stream.step(part) for part in np.split(frames, sorted(cuts))])


@settings(max_examples=8, deadline=None)
@given(cuts=st.lists(st.integers(0, 5), max_size=4))
def test_how_frames_are_chunked_does_not_change_a_bit(model: Nano, cuts: list[int]) -> None:
    assert np.array_equal(play(model, clip(), cuts), play(model, clip(), []))


def test_the_same_seed_gives_the_same_bits_and_another_prompt_another_picture(model: Nano) -> None:
    assert np.array_equal(play(model, clip(), []), play(model, clip(), []))
    difference = play(model, clip(), []).astype(int) - play(model, clip(), [], "golden hour")
    assert np.abs(difference).mean() > 10


@pytest.mark.parametrize("shown", [0, 1, 2, 4])
def test_a_saved_stream_goes_on_identically_in_another(model: Nano, shown: int) -> None:
    frames, first = clip(8), model.stream()
    first.start("pencil sketch", seed=7, strength=0.75)
    first.step(frames[:shown])
    other = model.stream()
    other.load(first.save())
    assert np.array_equal(other.step(frames[shown:]), first.step(frames[shown:]))


@settings(max_examples=30, deadline=None)
@given(st.binary(max_size=200))
def test_bytes_that_are_no_saved_stream_are_refused(model: Nano, state: bytes) -> None:
    with pytest.raises(ValueError, match="not a saved stream"):
        model.stream().load(state)


def test_a_damaged_state_leaves_the_stream_as_it_was(model: Nano) -> None:
    frames, stream, same = clip(4), model.stream(), model.stream()
    for each in (stream, same):
        each.start("comic book", seed=3)
        each.step(frames[:2])
    with pytest.raises(ValueError):
        stream.load(stream.save()[:-100])
    assert np.array_equal(stream.step(frames[2:]), same.step(frames[2:]))


@pytest.mark.parametrize(("prompt", "strength"), [("pixel art", 0.0), ("", 1.0), ("  \n", 1.0)])
def test_no_strength_or_no_words_give_the_input_back(model: Nano, prompt: str, strength: float) -> None:
    stream = model.stream()
    stream.start(prompt, strength=strength)
    assert np.array_equal(stream.step(clip()), clip())


def test_more_strength_is_further_from_the_input(model: Nano) -> None:
    def distance(strength: float) -> float:
        stream = model.stream()
        stream.start("thermal camera", strength=strength)
        return float(np.abs(stream.step(clip()).astype(int) - clip()).mean())

    distances = [distance(strength) for strength in (0.0, 0.25, 0.5, 0.75, 1.0)]
    assert distances == sorted(distances)
    assert distances[-1] > 10


def test_frames_of_another_size_restart_the_memory(model: Nano) -> None:
    stream = model.stream()
    stream.start("oil painting")
    stream.step(clip())
    assert np.array_equal(stream.step(clip(2, 64, 48)), play(model, clip(2, 64, 48), [], "oil painting", 0))


BAD: list[tuple[NDArray[np.generic], str]] = [
    (np.zeros((1, 50, 64, 3), np.uint8), "multiples of 16"),
    (np.zeros((1, 48, 64, 4), np.uint8), r"\(T, H, W, 3\)"),
    (np.zeros((48, 64, 3), np.uint8), r"\(T, H, W, 3\)"),
    (np.zeros((1, 48, 64, 3), np.float32), "float32"),
    (np.zeros((1, 0, 64, 3), np.uint8), "multiples of 16"),
    (np.zeros((1, 736, 1280, 3), np.uint8), "1280x720"),
]


@pytest.mark.parametrize(("frames", "word"), BAD)
def test_wrong_frames_are_refused_with_their_shape(model: Nano, frames: Frames, word: str) -> None:
    stream = model.stream()
    stream.start("neon")
    with pytest.raises(ValueError, match=word):
        stream.step(frames)


def test_wrong_starts_are_refused(model: Nano) -> None:
    stream = model.stream()
    with pytest.raises(RuntimeError, match="start"):
        stream.step(clip())
    for seed, strength, word in (
        (-1, 1.0, "seed"),
        (2**32, 1.0, "seed"),
        (0, 1.1, "strength"),
        (0, float("nan"), "strength"),
    ):
        with pytest.raises(ValueError, match=word):
            stream.start("neon", seed, strength)


@pytest.mark.parametrize("steps", [2, 4])
def test_more_denoising_steps_work(through_torch: nano.Nano, steps: int) -> None:
    several = nano.Nano(through_torch.network, through_torch._llm, steps, through_torch.dtype)
    shown = play(several, clip(), [])
    assert shown.shape == clip().shape
    assert np.abs(shown.astype(int) - play(through_torch, clip(), [])).mean() < 30  # the same look, not mush


def test_prompts_that_differ_in_case_and_space_share_a_style(model: Nano) -> None:
    assert model.tokens("  Neon   Outlines. ") is model.tokens("neon outlines")


def test_an_llm_that_is_not_there_is_named() -> None:
    with pytest.raises(FileNotFoundError, match=r"none\.gguf"):
        nano.load(llm="none.gguf")
    with pytest.raises(FileNotFoundError, match=r"none\.gguf"):
        nano_kernel.load(llm="none.gguf")


def test_the_description_is_that_of_the_weights(through_torch: nano.Nano) -> None:
    (described,) = (row for row in registry.describe() if row["name"] == "nano")
    parameters = sum(p.numel() for p in through_torch.network.parameters())
    assert described["params_millions"] == pytest.approx(parameters / 1e6, abs=0.01)
    assert described["params_millions"] <= 10
    assert 8 < described["gop_per_frame"] <= 16
    assert weights.describe()["licence"] == described["licence"]


def test_a_reference_picture_is_a_look_and_combines_with_words(model: Nano) -> None:
    thermal = np.random.default_rng(0).integers(0, 256, (90, 120, 3), np.uint8)
    name = model.picture(thermal)
    shown = [play(model, clip(), [], look) for look in (name, "golden hour")]  # type: ignore[arg-type]
    mixed = play(model, clip(), [], ((name, 0.5), ("golden hour", 0.5)))  # type: ignore[arg-type]
    assert all(np.abs(each.astype(int) - mixed).mean() > 2 for each in (*shown, clip()))
    model.prepare(name)
    for refused in (lambda: model.prepare("picture:none"), lambda: model.stream().start("picture:none")):
        with pytest.raises(ValueError, match="no reference picture picture:none"):
            refused()
    with pytest.raises(ValueError, match="a picture must be"):
        model.picture(clip())


def test_a_saved_stream_brings_its_picture_along(through_torch: nano.Nano) -> None:
    fresh = nano.Nano(through_torch.network, through_torch._llm, 1, through_torch.dtype)
    first, other = through_torch.stream(), fresh.stream()
    first.start([(through_torch.picture(clip(1)[0]), 0.5), ("oil painting", 0.5)])
    first.step(clip()[:2])
    other.load(first.save())
    assert np.array_equal(other.step(clip()[2:]), first.step(clip()[2:]))


def test_a_picture_means_the_same_on_the_kernels_and_in_torch(through_torch: nano.Nano) -> None:
    kernels = registry.load("nano", "cpu")
    names = {each.picture(clip(1)[0]) for each in (kernels, through_torch)}
    assert len(names) == 1
    name = names.pop()
    assert np.array_equal(kernels.pictures[name], through_torch.pictures[name])  # type: ignore[attr-defined]

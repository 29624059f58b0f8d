"""Where prompts land: on looks of the shipped weights, or on the source."""

import numpy as np
import pytest

from reverie.models import nano_kernel
from reverie.models.blend import blend
from reverie.models.nearest import Landing, asked, beside
from reverie.models.weights import SHIPPED

FRAMES = np.random.default_rng(0).integers(0, 256, (2, 64, 96, 3), np.uint8)


@pytest.fixture(scope="module")
def model() -> nano_kernel.Nano:
    return nano_kernel.load()


def shown(model: nano_kernel.Nano, prompt: str) -> np.ndarray:
    stream = model.stream()
    stream.start(prompt, seed=1)
    return stream.step(FRAMES)


@pytest.mark.parametrize("prompt", ["asdf", "hjkl hjkl", "???", "1234", "hello", "no effect", "", "kein Effekt"])
def test_nonsense_and_requests_for_nothing_give_the_source_back(model: nano_kernel.Nano, prompt: str) -> None:
    assert np.array_equal(shown(model, prompt), FRAMES)


@pytest.mark.parametrize(
    ("prompt", "look"),
    [
        ("Aquarell", "watercolour"), ("dessin au crayon", "pencil"), ("cómic", "comic"), ("油絵", "oil"),
        ("霓虹灯", "neon"), ("pop art poster", "pop_art"), ("warhol", "pop_art"), ("manga", "comic"),
    ],
)  # fmt: skip
def test_a_look_is_found_by_its_name_in_any_language(model: nano_kernel.Nano, prompt: str, look: str) -> None:
    tokens, landing = model.landed(prompt), beside(SHIPPED)
    assert tokens is not None and landing is not None
    assert next(iter(landing.likeness(tokens))) == look
    assert not np.array_equal(shown(model, prompt), FRAMES)


@pytest.mark.parametrize("prompt", ["zombie", "matrix hacker", "give me pizza", "medieval tapestry", "a robot"])
def test_unknown_requests_land_on_the_middle_of_a_look(model: nano_kernel.Nano, prompt: str) -> None:
    tokens, landing = model.landed(prompt), beside(SHIPPED)
    assert landing is not None
    assert tokens is None or max(landing.likeness(tokens).values()) > 0.8


def test_nonsense_in_a_blend_is_the_cameras_share(model: nano_kernel.Nano) -> None:
    prompts, share = asked(blend([("pencil sketch", 3.0), ("asdf", 1.0)]), model.landed)
    assert prompts == (("pencil sketch", 1.0),)
    assert share == pytest.approx(0.75)


def test_what_is_near_a_look_is_taken_as_it_is_and_what_is_not_becomes_its_middle() -> None:
    rng = np.random.default_rng(0)
    middles = {look: rng.normal(size=(4, 8)).astype(np.float32) for look in ("oil", "comic", "original")}
    landing = Landing(middles)
    near = middles["oil"] + 0.2 * middles["comic"]
    assert landing(near, "oil with dots", 3) is near
    between = middles["oil"] + 0.9 * middles["comic"] - 0.9 * middles["original"]
    assert np.array_equal(landing(between, "something else", 2), middles["oil"])
    assert landing(between, "sdfg", 3) is None
    assert landing(middles["original"], "hello", 1) is None


def test_weights_without_middles_take_every_prompt_as_it_is(tmp_path) -> None:  # type: ignore[no-untyped-def]
    assert beside(tmp_path / "other.safetensors") is None
    landing = Landing({"oil": np.ones((2, 3), np.float32), "original": np.zeros((2, 3), np.float32) + 0.5})
    landing.save(tmp_path / "other.looks.safetensors")
    kept = beside(tmp_path / "other.safetensors")
    assert kept is not None and set(kept.looks) == {"oil", "original"}

"""Looks as shares of prompts, and the way between them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reverie.models import nano, nano_kernel
from reverie.models.blend import CAMERA, Fade, blend, styled
from reverie.models.stream import Model
from reverie.models.toy import ToyModel

PROMPTS = st.sampled_from(["", "red", "green", "blue", "Blue.", "  "])
PARTS = st.lists(st.tuples(PROMPTS, st.floats(0.01, 100)), min_size=1, max_size=4)
SOURCE = np.random.default_rng(0).integers(0, 256, (1, 64, 96, 3), np.uint8)


@given(PARTS)
def test_shares_add_up_and_prompts_that_mean_the_same_are_one(parts: list[tuple[str, float]]) -> None:
    look = blend(parts)
    assert sum(share for _, share in look) == pytest.approx(1)
    assert len({prompt for prompt, _ in look}) == len(look)
    assert blend(look) == look or len(look) > 1
    prompts, share = styled(look)
    assert all(prompt for prompt, _ in prompts)
    assert share == pytest.approx(1 - dict(look).get("", 0))


@given(PARTS, PARTS, st.lists(st.floats(-1, 4), min_size=2, max_size=2))
def test_a_transition_begins_with_the_old_look_ends_with_the_new_and_never_turns_back(
    old: list[tuple[str, float]], new: list[tuple[str, float]], times: list[float]
) -> None:
    fade = Fade(blend(old), blend(new), 0, 2)
    assert fade.at(-0.1) == fade.old
    assert fade.at(2) == fade.new
    before, after = (dict(fade.at(now)) for now in sorted(times))
    for prompt in {*before, *after}:
        towards = dict(fade.new).get(prompt, 0)
        assert abs(after.get(prompt, 0) - towards) <= abs(before.get(prompt, 0) - towards) + 1e-9


@pytest.mark.parametrize("parts", [[], [("red", 0)], [("red", -1)], [("red", float("nan"))], [("red", float("inf"))]])
def test_what_is_no_blend_is_refused(parts: list[tuple[str, float]]) -> None:
    with pytest.raises(ValueError):
        blend(parts)


@pytest.fixture(scope="module", params=["toy", "kernels", "torch"])
def model(request: pytest.FixtureRequest) -> Model:
    return {"toy": ToyModel, "kernels": nano_kernel.load, "torch": nano.load}[request.param]()


def made(model: Model, *looks: str | list[tuple[str, float]], strength: float = 1.0) -> np.ndarray:
    """The last of one frame for each look, worn one after the other."""
    stream = model.stream()
    stream.start(blend(looks[0]), strength=strength)
    stream.step(SOURCE)
    for look in looks[1:]:
        stream.wear(blend(look))
        shown = stream.step(SOURCE)
    return shown.astype(float)


def test_a_blend_lies_between_its_prompts_and_leans_to_the_heavier(model: Model) -> None:
    """Looks that the weights know: other words may be answered with the camera."""
    one, two = ("red", "blue") if isinstance(model, ToyModel) else ("charcoal drawing", "thermal camera")
    first, second = made(model, one, one), made(model, one, two)
    near, far = (made(model, one, [(one, w), (two, 1 - w)]) for w in (0.8, 0.2))
    assert np.abs(near - first).mean() < np.abs(far - first).mean()
    assert np.abs(far - second).mean() < np.abs(near - second).mean()
    assert np.abs(near - first).mean() > 0


def test_the_camera_in_a_blend_takes_its_share_of_the_strength(model: Model) -> None:
    camera = SOURCE.astype(float)
    assert np.array_equal(made(model, "red", ""), camera)
    distances = [np.abs(made(model, "red", [("red", w), ("", 1 - w)]) - camera).mean() for w in (0.1, 0.5, 0.9)]
    assert distances == sorted(distances)


def test_a_saved_blend_goes_on_as_it_was(model: Model) -> None:
    stream, other = model.stream(), model.stream()
    stream.start(blend([("red", 0.3), ("blue", 0.7)]), seed=5, strength=0.8)
    stream.step(SOURCE)
    other.load(stream.save())
    turned = np.ascontiguousarray(SOURCE[:, ::-1])
    assert np.array_equal(stream.step(turned), other.step(turned))


def test_a_stream_that_never_began_wears_nothing(model: Model) -> None:
    with pytest.raises(RuntimeError):
        model.stream().wear(CAMERA)

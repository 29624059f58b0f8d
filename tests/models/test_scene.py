"""The adapter that reads scene tokens, and what a scene asks of a prompt."""

import numpy as np
import pytest
from skimage import data

from reverie.models import nano_kernel, scene
from reverie.models.facts import Seen, measure
from reverie.models.stream import Narrator, Sighted

DARK = np.full((90, 160, 3), 20, np.uint8)
LIT = np.full((90, 160, 3), 140, np.uint8)
WARM = np.full((90, 160, 3), (190, 140, 100), np.uint8)
CLOSE, LANDSCAPE = Seen(person=1.0, people=0.4, face=0.5), Seen(outdoors=0.9)


@pytest.fixture(scope="module")
def model() -> nano_kernel.Nano:
    return nano_kernel.load()


@pytest.mark.parametrize(
    ("prompt", "picture", "seen", "said"),
    [
        ("neon city at night", DARK, Seen(), "neon city at night, bright"),
        ("neon city at night", LIT, Seen(), "neon city at night"),
        ("bright neon", DARK, Seen(), "bright neon"),
        ("oil painting", DARK, Seen(), "oil painting"),
        ("oil painting", LIT, CLOSE, "oil painting, fine lines"),
        ("oil painting, bold strokes", LIT, CLOSE, "oil painting, bold strokes"),
        ("oil painting", LIT, LANDSCAPE, "oil painting, large marks"),
        ("film noir", DARK, CLOSE, "film noir, bright, fine lines"),
        ("cosy watercolour", LIT, Seen(), "cosy watercolour, warm colours"),
        ("cosy watercolour", WARM, Seen(), "cosy watercolour"),
        ("icy watercolour", WARM, Seen(), "icy watercolour, cold colours"),
        ("cheerful comic", DARK, Seen(), "cheerful comic, bright"),
        ("spooky charcoal", LIT, Seen(), "spooky charcoal, dark"),
        ("spooky charcoal", DARK, Seen(), "spooky charcoal"),
        ("", DARK, CLOSE, ""),
    ],
)
def test_a_scene_asks_for_what_the_prompt_does_not_say(prompt: str, picture: np.ndarray, seen: Seen, said: str) -> None:
    assert scene.fitted(prompt, measure(picture, seen=seen)) == said


def test_one_prompt_in_two_scenes_has_two_styles(model: nano_kernel.Nano) -> None:
    prompts = [scene.fitted("neon outlines", measure(picture)) for picture in (DARK, LIT)]
    first, second = (model.landed(prompt) for prompt in prompts)
    assert first is not None and second is not None
    assert np.abs(first - second).max() > 0.01


def test_a_stream_tells_what_its_encoder_saw_whatever_the_look(model: nano_kernel.Nano) -> None:
    picture = np.ascontiguousarray(data.astronaut()[:192, 100:356])
    stream = model.stream()
    assert isinstance(stream, Sighted) and isinstance(model, Narrator)
    stream.start("neon outlines")
    assert stream.scene() is None
    stream.step(picture[None])
    seen = stream.scene()
    assert seen is not None and seen.shape == (12, 16, model.parts.config.widths[3])
    stream.start("pencil sketch")
    stream.step(picture[None])
    assert np.array_equal(stream.scene(), seen)


def test_the_adapter_tells_a_person_from_a_launch_pad_and_one_prompt_has_two_styles_there(
    model: nano_kernel.Nano,
) -> None:
    face = np.repeat(np.repeat(data.astronaut()[20:212, 110:366], 2, 0), 2, 1)[:288, :512]
    rocket = np.ascontiguousarray(data.rocket()[:288, :512])
    stream, said = model.stream(), []
    stream.start("pencil sketch")
    for picture in (face, rocket):
        stream.step(picture[None])
        tokens = stream.scene()
        assert tokens is not None
        said.append(scene.load()(tokens))
    assert said[0].person > 0.5 > said[1].person
    assert said[0].outdoors is not None and said[1].outdoors is not None
    assert said[0].outdoors < 0.5 < said[1].outdoors
    asked = [scene.fitted("oil painting", measure(p, seen=s)) for p, s in zip((face, rocket), said, strict=True)]
    styles = [model.landed(prompt) for prompt in asked]
    assert styles[0] is not None and styles[1] is not None and np.abs(styles[0] - styles[1]).max() > 0.01


def test_pooled_tokens_forget_where_things_are() -> None:
    tokens = np.random.default_rng(0).normal(size=(3, 4, 5)).astype(np.float32)
    assert np.allclose(scene.pooled(tokens), scene.pooled(tokens[::-1, ::-1]), atol=1e-6)
    assert scene.pooled(tokens).shape == (15,)

"""The classifier of looks: trained on some photos, right on another."""

import numpy as np
from skimage import data

from reverie.models.evaluate.recognise import learn
from reverie.models.train.clips import cover
from reverie.models.train.looks import paint
from reverie.models.train.looks.scene import frames

LOOKS = ["thermal", "pencil", "blueprint", "neon"]


def test_looks_of_a_photo_that_was_not_trained_on_are_recognised() -> None:
    every = (data.coffee(), data.chelsea(), data.rocket(), data.astronaut())
    photos = [cover(each, 1.0, np.array([0.5, 0.5]), (144, 256)) for each in every]
    recognise = learn(photos[:3], LOOKS)
    scene = frames(photos[3][None], np.random.default_rng(5).standard_normal((3, 144, 256)).astype(np.float32))
    for look in LOOKS:
        shown = list(paint(look, scene))
        assert [recognise.share(shown, other) for other in LOOKS] == [other == look for other in LOOKS], look

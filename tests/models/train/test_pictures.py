"""Fitting the encoder of reference pictures."""

import json

import cv2
import numpy as np
from skimage import data

from reverie.models import nano_kernel, picture
from reverie.models.train import pictures
from reverie.models.train.looks import LOOKS, paint
from reverie.models.train.looks.scene import frames
from reverie.models.weights import SHIPPED, describe


def test_a_fit_finds_the_tokens_of_pictures_that_it_did_not_see() -> None:
    rng = np.random.default_rng(0)
    looks = rng.standard_normal((2, 3, 8)).astype(np.float32)
    tints = np.array([[1.0, 0.3, 0.3], [0.2, 0.5, 1.0]])
    shown = [(rng.integers(0, 256, (48, 64, 1)) * tints[n % 2]).astype(np.uint8) for n in range(40)]
    read = np.stack([picture.features(each) for each in shown])
    fitted = pictures.fit(pictures.Pairs(read[:30], looks[np.arange(30) % 2]))
    encode = picture.Encoder(fitted)
    assert [pictures.nearest(encode(each), looks) for each in shown[30:]] == [n % 2 for n in range(30, 40)]


def test_known_looks_are_those_of_the_weights_that_can_be_painted() -> None:
    looks = pictures.known(list(LOOKS))
    assert set(looks) <= set(LOOKS) and set(looks) <= set(describe(SHIPPED)["looks"].split(","))
    assert "original" not in looks and len(looks) >= 10
    assert pictures.known(["oil"]) == ["oil"]


def test_the_shipped_encoder_recognises_what_looks_make_of_a_face_it_never_saw() -> None:
    model, looks = nano_kernel.load(), pictures.known(list(LOOKS))
    tokens = pictures.heard(model, looks)
    camera = cv2.resize(np.repeat(data.camera()[..., None], 3, 2), (384, 224))
    scene = frames(camera[None], np.random.default_rng(0).standard_normal((3, 224, 384)).astype(np.float32))
    found = [pictures.nearest(picture.load()(paint(look, scene)[0]), tokens) == n for n, look in enumerate(looks)]
    assert np.mean(found) >= 0.6, json.dumps(dict(zip(looks, map(bool, found), strict=True)))  # no colour in the source

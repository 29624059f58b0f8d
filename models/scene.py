"""The scene note: what the encoder's scene tokens and the pixels say of a picture, and what a prompt makes of it.

A small adapter, fitted in closed form (models/train/scene.py), reads who and where from the scene tokens; light,
colours and motion are measured (models/facts.py).  `fitted` turns the note into words that a look hears.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

from reverie.models import weights
from reverie.models.facts import Facts, Seen
from reverie.models.quantise import F32

SHIPPED = weights.SHIPPED.with_suffix(".scene.safetensors")
TARGETS = ("person", "people", "face", "outdoors")  # what the adapter says, in this order, each 0 to 1
DARK, CLOSE, WIDE = 0.22, 0.25, 0.03  # luma of a dark room; height of a close face; share of people in a landscape
NIGHT = ("night", "neon", "cyberpunk", "noir", "moonlight", "dark")
BRIGHT, COLD, WARM = 0.5, -0.04, 0.06  # luma of a bright picture; red less blue of a cold and of a warm one


def pooled(tokens: F32) -> F32:
    """Scene tokens (Y, X, D) to (3 D,): their means, deviations and largest values."""
    flat = tokens.reshape(-1, tokens.shape[-1])
    return np.concatenate((flat.mean(0), flat.std(0), flat.max(0))).astype(np.float32)


class Reader:
    """Fitted numbers; calls may come from any thread."""

    def __init__(self, adapter: Mapping[str, F32]) -> None:
        self.adapter = {key: value.astype(np.float32) for key, value in adapter.items()}

    def __call__(self, tokens: F32) -> Seen:
        """Args: tokens: (Y, X, D) of the encoder."""
        a = self.adapter
        said = a["weight"] @ np.clip((pooled(tokens) - a["mean"]) / a["deviation"], -4, 4) + a["bias"]
        person, people, face, outdoors = (float(each) for each in np.clip(said, 0, 1))
        return Seen(person=person, people=people, face=face if face >= 0.08 else 0.0, outdoors=outdoors)


@cache
def load(path: Path = SHIPPED) -> Reader:
    """Raises: FileNotFoundError if the adapter is missing."""
    if not path.is_file():
        raise FileNotFoundError(f"the adapter that reads scenes, {path.name}, is missing")
    return Reader(load_file(path))


def fitted(prompt: str, facts: Facts) -> str:
    """The prompt with what the scene asks for, in words that looks hear; what the prompt itself says counts first.

    A dark room is lifted before a night look, strokes are fine on a close face and wide on a landscape, and a mood asks
    for what the light there does not give it.
    """
    said, wishes = prompt.lower(), []
    if facts.light < DARK and any(word in said for word in NIGHT) and "bright" not in said:
        wishes.append("bright")
    wishes += _moods(said, facts)
    sized = any(word in said for word in ("fine", "thin", "bold", "thick", "small", "large", "big", "tiny", "wide"))
    if not sized and facts.seen.face >= CLOSE:
        wishes.append("fine lines")
    elif not sized and (facts.seen.outdoors or 0) > 0.6 and facts.seen.people < WIDE:
        wishes.append("large marks")
    return ", ".join((prompt, *wishes)) if prompt.strip() else prompt


def _moods(said: str, facts: Facts) -> list[str]:
    asks = (
        (("cosy", "cozy", "friendly", "homely"), facts.warmth < WARM, "warm colours"),
        (("icy", "lonely", "clinical", "sterile"), facts.warmth > COLD, "cold colours"),
        (("cheerful", "happy", "joyful", "summery"), facts.light < BRIGHT, "bright"),
        (("spooky", "scary", "gloomy", "sinister", "moody"), facts.light > DARK, "dark"),
    )
    return [wish for words, lacking, wish in asks if lacking and wish not in said and any(w in said for w in words)]

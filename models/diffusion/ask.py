"""What a prompt asks besides its words, written as users of such models write it.

`a marble statue <lora:ink:0.8> <control:depth:0.7> --no blur, text --guidance 1.5 --steady 0.3`
"""

from __future__ import annotations

import re
from typing import NamedTuple

from reverie.models.blend import Blend
from reverie.models.picture import PREFIX
from reverie.models.prompt import normal

GUIDED = 1.5  # guidance of a prompt that has a negative one and names no other
TAG = re.compile(r"<(lora|control):([^<>:]+)(?::([^<>]*))?>")
OPTION = re.compile(r"(?:^|\s)--(no|guidance|steady)\s")
RANGES = {"lora": (-4.0, 4.0), "control": (0.0, 2.0), "guidance": (1.0, 10.0), "steady": (0.0, 0.9)}
Named = tuple[tuple[str, float], ...]  # names and scales, by name


class Ask(NamedTuple):
    """A prompt, taken apart."""

    words: str
    negative: str = ""
    loras: Named = ()
    controls: Named = ()
    guidance: float = 1.0  # 1 is none
    steady: float = 0.0  # share of the frame before, moved along with the picture


def read(prompt: str) -> Ask:
    """Raises: ValueError with one sentence if a number is none or out of its range."""
    named: dict[str, dict[str, float]] = {"lora": {}, "control": {}}
    for kind, name, scale in TAG.findall(prompt):
        named[kind][normal(name)] = _number(kind, scale or "1")
    parts = OPTION.split(TAG.sub(" ", f"{prompt} "))
    options = dict(zip(parts[1::2], parts[2::2], strict=True))
    negative = normal(options.get("no", ""))
    guidance = _number("guidance", options.get("guidance", str(GUIDED if negative else 1.0)))
    steady = _number("steady", options.get("steady", "0"))
    loras, controls = (tuple(sorted(each.items())) for each in named.values())
    return Ask(normal(parts[0]), negative, loras, controls, guidance, steady)


def _number(what: str, text: str) -> float:
    least, most = RANGES[what]
    try:
        value = float(normal(text))
    except ValueError:
        value = float("nan")
    if not least <= value <= most:
        raise ValueError(f"{what} must be a number from {least:g} to {most:g}, got {text.strip()!r}")
    return value


def richer(prompt: str, words: str) -> str:
    """Other words with what the prompt asked besides its own."""
    tags = [found[0] for found in TAG.finditer(prompt)]
    rest = TAG.sub(" ", prompt)
    options = OPTION.search(f"{rest} ")
    return " ".join([words.strip(), *tags, *(rest[options.start() :].split() if options else ())])


class Mixed(NamedTuple):
    """The asks of a look by their shares, which add up to 1."""

    texts: tuple[tuple[Ask, float], ...]
    pictures: Named
    loras: Named
    controls: Named
    guidance: float
    steady: float


def mixed(look: Blend) -> Mixed:
    """A look without the camera.  Scales are rounded, so that a transition is some dozen steps.  Raises: ValueError."""
    texts = tuple((read(prompt), share) for prompt, share in look if not prompt.startswith(PREFIX))
    pictures = tuple((prompt, share) for prompt, share in look if prompt.startswith(PREFIX))
    loras, controls = (_summed([(getattr(a, kind), s) for a, s in texts]) for kind in ("loras", "controls"))
    guidance = 1 + sum((ask.guidance - 1) * share for ask, share in texts)
    return Mixed(texts, pictures, loras, controls, guidance, sum(ask.steady * share for ask, share in texts))


def _summed(parts: list[tuple[Named, float]]) -> Named:
    scales: dict[str, float] = {}
    for named, share in parts:
        for name, scale in named:
            scales[name] = scales.get(name, 0.0) + scale * share
    rounded = ((name, round(scale * 32) / 32) for name, scale in sorted(scales.items()))
    return tuple((name, scale) for name, scale in rounded if scale)

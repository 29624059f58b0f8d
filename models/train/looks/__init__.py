"""Looks as small programs: a clip, a seed's noise and a wish to what the look makes of it.

Deterministic, at most about 30 ms a frame at 384x224 on one core.  What is drawn lies on a canvas that moves with the
scene (scene.py) and whose irregularities come from the stream's own noise picture: another seed, another drawing.
Screens and lenses (pixel_art, blueprint's squares, vhs) are anchored to the picture instead.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reverie.models.train.looks import drawing, drawn, light, material, painting, prints
from reverie.models.train.looks.marks import contrast, glow, rgb, saturate
from reverie.models.train.looks.scene import Frame, Paint, Picture, Wish


@dataclass(frozen=True, slots=True)
class Look:
    """A teacher and the wishes that it hears."""

    paint: Callable[[Frame, Wish], Paint]
    hears: frozenset[str]  # of line, small, large, colour, mood, time, outlines, strength


ALL = "line size colour mood outlines strength"
INKED, GRADED = "line colour outlines strength", "mood strength"
HEARD: dict[Callable[[Frame, Wish], Paint], str] = {
    drawing.pencil: "line large colour outlines strength", drawing.charcoal: INKED, drawing.ink_wash: INKED,
    drawing.chalkboard: "line size colour outlines strength", drawing.blueprint: "line colour strength",
    drawing.engraving: "line large colour outlines strength", drawing.crosshatch: "line size colour outlines strength",
    drawing.crayon: ALL, drawing.ballpoint: "line size colour outlines strength",
    painting.oil: "size colour mood strength", painting.impasto: "size colour mood strength",
    painting.van_gogh: ALL, painting.watercolour: "line colour mood outlines strength",
    painting.gouache: "colour mood strength", painting.pastel: "line size colour mood outlines strength",
    painting.pointillism: "large colour mood strength", painting.ukiyo_e: "line colour outlines strength",
    painting.expressionist: ALL,
    prints.comic: ALL, prints.manga: "line large colour outlines strength", prints.halftone: "size colour strength",
    prints.risograph: "large colour strength",
    prints.woodcut: "line size colour outlines strength", prints.newspaper: "large colour strength",
    prints.stencil: "colour strength", prints.pop_art: INKED,
    light.noir: GRADED, light.golden_hour: GRADED, light.cyberpunk: GRADED, light.neon: "line colour strength",
    light.night_rain: "small strength", light.infrared: "strength", light.thermal: "strength",
    light.night_vision: "strength", light.vhs: GRADED, light.super8: GRADED, light.bleach_bypass: GRADED,
    light.sepia: "mood strength", light.moonlight: "strength", light.blockbuster: GRADED,
    material.stained_glass: "line small colour mood outlines strength", material.mosaic: "size colour mood strength",
    material.pixel_art: "large colour mood strength", material.eight_bit: "large colour strength",
    material.paper_cut: "colour mood strength", material.clay: "colour mood strength",
    material.embroidery: "large colour mood strength", material.marble: "line colour outlines strength",
    material.bronze: "strength",
    drawn.cartoon: "line colour mood outlines strength", drawn.anime: "line colour mood outlines strength",
    drawn.storybook: "line colour mood outlines strength",
}  # fmt: skip


def original(frame: Frame, wish: Wish) -> Paint:
    return frame.colour


LOOKS: dict[str, Look] = {
    paint.__name__: Look(paint, frozenset(heard.replace("size", "small large").replace("mood", "mood time").split()))
    for paint, heard in {**HEARD, original: ""}.items()
}

MOODS: dict[str, Callable[[Paint], Paint]] = {
    "warm": lambda x: x * rgb(270, 250, 205) + rgb(10, 4, 0),
    "cold": lambda x: x * rgb(205, 245, 275) + rgb(0, 4, 12),
    "dark": lambda x: 0.62 * np.clip(x, 0, 1) ** 1.35,
    "bright": lambda x: np.clip(x, 0, 1) ** 0.72 * 0.98 + 0.04,
    "vivid": lambda x: saturate(contrast(x, 1.1), 1.6),
    "faded": lambda x: 0.14 + 0.74 * saturate(x, 0.5),
    "dramatic": lambda x: contrast(x, 1.5) * 0.95,
    "dreamy": lambda x: 0.9 * x + 0.06 + 0.7 * glow(x, 0.4, 8),
}


TIMES: dict[str, Callable[[Paint], Paint]] = {
    "morning": lambda x: 0.12 + 0.86 * saturate(x, 0.8) * rgb(255, 236, 244),
    "noon": lambda x: contrast(x, 1.22) * rgb(262, 260, 250) + 0.02,
    "evening": lambda x: contrast(x, 1.1) * rgb(264, 214, 158) + rgb(14, 2, 8),
    "night": lambda x: 0.5 * np.clip(x, 0, 1) ** 1.25 * rgb(150, 190, 275) + 0.35 * glow(x, 0.7, 6) + rgb(2, 4, 14),
}


def paint(name: str, scene: Sequence[Frame], wish: Wish = Wish()) -> NDArray[np.uint8]:
    """(T, H, W, 3) of a look on the frames of a clip."""
    return np.stack([painted(LOOKS[name], frame, wish) for frame in scene])


def painted(look: Look, frame: Frame, wish: Wish) -> Picture:
    if look.paint is original:
        return frame.rgb
    x = np.clip(look.paint(frame, wish), 0, 1)
    if wish.mood:
        x = MOODS[wish.mood](x)
    if wish.time:
        x = TIMES[wish.time](np.clip(x, 0, 1))
    x = wish.strength * x + (1 - wish.strength) * frame.colour
    return (np.clip(x, 0, 1) * 255 + 0.5).astype(np.uint8)

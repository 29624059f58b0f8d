"""What a picture shows, as numbers that are measured, and the few words that say them.

From the pixels alone: light and contrast, warmth and colourfulness, the named colours and their shares, fine detail,
motion since an earlier picture.  Who and where (`Seen`: people, faces, indoors or outdoors, labels) needs a reader of
the scene and is handed in; without one nothing is said about it.  NumPy and OpenCV only, about 1 ms a picture; the same
facts are targets in training, the live scene note, and captions to search by.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]  # (H, W, 3) RGB
SIZE = 64, 36  # width, height of what is measured
SHARE = 0.12  # of the picture; a colour with less is not named
LIKELY = 0.5  # probability from which something is said
HUES = (
    (15, "red"), (42, "orange"), (66, "yellow"), (160, "green"), (196, "turquoise"), (256, "blue"), (290, "purple"),
    (345, "pink"), (361, "red"),
)  # fmt: skip
"""Degrees up to which a hue has a name."""


@dataclass(frozen=True, slots=True)
class Seen:
    """Who and where, as a reader of the scene finds them."""

    person: float = 0.0  # probability that somebody is there, 0 to 1
    people: float = 0.0  # share of the picture that shows people
    face: float = 0.0  # height of the largest face as a share of the picture's, 0 is none
    outdoors: float | None = None  # probability; None is not known
    labels: tuple[tuple[str, float], ...] = ()  # what else, with probabilities, the likeliest first


@dataclass(frozen=True, slots=True)
class Facts:
    """Measured of one picture, or of one and an earlier one."""

    light: float  # mean luma, 0 to 1
    contrast: float  # standard deviation of luma, 0 to 0.5
    backlit: float  # luma of the rim less that of the middle, -1 to 1
    warmth: float  # mean red less mean blue, -1 to 1
    colourful: float  # Hasler and Suesstrunk's measure on 0 to 1; a grey picture has 0, a fair about 0.4
    colours: tuple[tuple[str, float], ...]  # names and shares of the picture, the largest first
    detail: float  # mean step of luma between neighbours, 0 to 1
    motion: float  # mean change of luma since the earlier picture, 0 to 1
    seen: Seen = field(default_factory=Seen)


def measure(picture: Picture, earlier: Picture | None = None, seen: Seen | None = None) -> Facts:
    """Facts of a picture.

    Args:
        earlier: what was there before, of the same size; about half a second is a good distance.
    Raises: ValueError if a picture is not (H, W, 3) uint8.
    """
    x = _small(picture)
    luma = cv2.cvtColor(x, cv2.COLOR_RGB2GRAY)
    rows, columns = luma.shape
    middle = luma[rows // 4 : -rows // 4, columns // 4 : -columns // 4]
    rim = (luma.sum() - middle.sum()) / (luma.size - middle.size)
    opponent = x[..., 0] - x[..., 1], 0.5 * (x[..., 0] + x[..., 1]) - x[..., 2]
    colourful = np.hypot(*(o.std() for o in opponent)) + 0.3 * np.hypot(*(o.mean() for o in opponent))
    before = luma if earlier is None else cv2.cvtColor(_small(earlier), cv2.COLOR_RGB2GRAY)
    step = np.abs(np.diff(luma, axis=0)).mean() + np.abs(np.diff(luma, axis=1)).mean()
    return Facts(
        light=float(luma.mean()), contrast=float(luma.std()), backlit=float(rim - middle.mean()),
        warmth=float(x[..., 0].mean() - x[..., 2].mean()), colourful=float(colourful), colours=_colours(x),
        detail=float(step / 2), motion=float(np.abs(luma - before).mean()), seen=seen or Seen(),
    )  # fmt: skip


def _small(picture: Picture) -> NDArray[np.float32]:
    if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3 or not picture.size:
        raise ValueError(f"a picture must be uint8 (H, W, 3), got {picture.dtype} {picture.shape}")
    small = cv2.resize(picture, SIZE, interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.float32) / np.float32(255)


def _colours(x: NDArray[np.float32]) -> tuple[tuple[str, float], ...]:
    h, s, v = cv2.split(cv2.cvtColor(x, cv2.COLOR_RGB2HSV))
    hued = np.select([h < limit for limit, _ in HUES], [np.full(h.shape, n) for n in range(len(HUES))])
    names = np.array([name for _, name in HUES], dtype=object)[hued]
    names[(h >= 12) & (h < 50) & (v < 0.55)] = "brown"
    names[(h >= 8) & (h < 50) & (v >= 0.55) & (s < 0.5)] = "beige"
    names[(s < 0.14) & (v >= 0.8)] = "white"
    names[(s < 0.14) & (v < 0.8)] = "grey"
    names[v < 0.16] = "black"
    found, counts = np.unique(names.astype(str), return_counts=True)
    order = np.argsort(-counts, kind="stable")
    return tuple((str(found[n]), float(counts[n] / h.size)) for n in order)


def words(facts: Facts) -> list[str]:
    """Short phrases, the most telling first: who, where, what else, light, colours, motion."""
    seen, said = facts.seen, []
    if seen.face >= 0.08:
        said.append("a face close to the camera" if seen.face > 0.35 else "a person facing the camera")
    elif seen.person >= LIKELY:
        said.append("a person close by" if seen.people > 0.25 else "a person further away")
    if seen.outdoors is not None and not 0.4 < seen.outdoors < 0.6:
        said.append("outdoors" if seen.outdoors > 0.5 else "indoors")
    said += [label for label, share in seen.labels if share >= LIKELY]
    return [*said, _light(facts), *_palette(facts), _motion(facts)]


def sentence(facts: Facts) -> str:
    """The scene note: `words` with commas."""
    return ", ".join(words(facts))


def _light(facts: Facts) -> str:
    level = next(name for limit, name in ((0.15, "very dark"), (0.3, "dim"), (0.62, "even"), (1.1, "bright"))
                 if facts.light < limit)  # fmt: skip
    tint = "warm " if facts.warmth > 0.08 else "cold " if facts.warmth < -0.06 else ""
    from_behind = " from behind" if facts.backlit > 0.2 else ""
    return f"{level} {tint}light{from_behind}"


def _palette(facts: Facts) -> list[str]:
    named = [name for name, share in facts.colours if share >= SHARE][:3]
    if not named:
        return ["many colours"]
    return ["mostly " + " and ".join(named)] if len(named) < 3 else [f"{named[0]}, {named[1]} and {named[2]}"]


def _motion(facts: Facts) -> str:
    return "still" if facts.motion < 0.003 else "gentle movement" if facts.motion < 0.04 else "lively movement"

"""Which size a picture is rendered at."""

from __future__ import annotations

import math
import re

MAX_AREA = 512 * 288
UNIT = 16
LARGEST = 1280 * 720  # pixels of area that a model may be asked for


def render_size(width: int, height: int, max_area: int = MAX_AREA) -> tuple[int, int]:
    """Largest (width, height) in multiples of 16 with the source's aspect, within an area and not above the source.

    Sides are rounded down, but never below 16.  Raises: ValueError if a side is not positive.
    """
    if width < 1 or height < 1:
        raise ValueError(f"a picture of {width}x{height} pixels has no size")
    scale = min(1.0, math.sqrt(max_area / (width * height)))
    wide, high = (max(UNIT, math.floor(side * scale / UNIT + 1e-9) * UNIT) for side in (width, height))
    longest = lambda other: max_area // other // UNIT * UNIT
    wide = min(wide, longest(UNIT))
    high = min(high, longest(wide))
    return min(wide, longest(high)), high


def asked(render: str) -> tuple[int, int]:
    """Width and height of a size that somebody wrote down, as 512x288.  Raises: ValueError."""
    sides = re.fullmatch(r"(\d{1,5})x(\d{1,5})", render)
    if not sides:
        raise ValueError(f"render must be WIDTHxHEIGHT, got {render!r}")
    width, height = int(sides[1]), int(sides[2])
    if width % UNIT or height % UNIT or not width or not height or width * height > LARGEST:
        raise ValueError(f"render needs multiples of {UNIT} and at most 1280x720 pixels of area, got {render}")
    return width, height

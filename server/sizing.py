"""Which size a picture is rendered at."""

from __future__ import annotations

import math

MAX_AREA = 512 * 288
UNIT = 16


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

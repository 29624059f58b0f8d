"""Models by every name that a client may ask for: ours, and Decart's, old and new, as aliases of the one served.

Source: the registries of npm @decartai/sdk 0.0.6 to 0.1.20 and PyPI decart 0.0.35 to 0.2.4; sizes and rates are the
newest of each.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Wire:
    """What a client of a model sends: its SDK asks the camera for it.  Any other size works as well."""

    fps: int
    width: int
    height: int


HD, WIDE, OLD = Wire(30, 1280, 720), Wire(30, 1280, 704), Wire(30, 1088, 624)
REALTIME = {
    "lucy-2.6": HD, "lucy-2.5": HD, "lucy-2.1": HD, "lucy-2": Wire(20, 1280, 720), "lucy_2_rt": Wire(20, 1280, 720),
    "lucy": HD, "lucy-latest": HD, "lucy-restyle": WIDE, "lucy-restyle-2": WIDE, "lucy-restyle-latest": WIDE,
    "lucy-vton-2": OLD, "lucy-vton-3": OLD, "lucy-2.1-vton": OLD, "lucy-2.1-vton-2": OLD, "lucy-vton-3.5": HD,
    "lucy-vton-3.6": HD, "lucy-vton-latest": HD, "mirage": Wire(25, 1280, 704), "mirage_v2": Wire(22, 1280, 704),
    "lucy_v2v_720p_rt": Wire(25, 1280, 704), "live_avatar": Wire(25, 1280, 720), "live-avatar": Wire(25, 1280, 720),
}  # fmt: skip
VIDEO = {
    "lucy-2.6", "lucy-2.5", "lucy-2.1", "lucy-2", "lucy-latest", "lucy-restyle-2", "lucy-restyle-latest", "lucy-clip",
    "lucy-clip-latest", "lucy-2.1-vton", "lucy-2.1-vton-2", "lucy-vton-2", "lucy-vton-3", "lucy-vton-3.5",
    "lucy-vton-latest", "lucy-pro-v2v", "lucy-fast-v2v", "lucy-restyle-v2v", "lucy-v2v",
}  # fmt: skip
IMAGE = {"lucy-image-2", "lucy-image-latest", "lucy-pro-i2i"}


def names(asked: str, served: str) -> tuple[str, ...]:
    """All names of the model that is meant, the asked one first; none if nothing here has that name.

    A client that asks for none, gets the one served.
    """
    if not asked or asked == served:
        return (served,)
    return (asked, served) if asked in REALTIME or asked in VIDEO or asked in IMAGE else ()

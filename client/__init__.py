"""Reverie for Python programs: `connect` to a server, send frames, get restyled frames.

The names are loaded when they are first used, so that importing the wire protocol alone costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from reverie.client.errors import (
        AtCapacity,
        BadOffer,
        BadRequest,
        BadSource,
        ConnectionLost,
        MediaFailed,
        NotReady,
        ReverieError,
        UnknownModel,
        Unsupported,
    )
    from reverie.client.moments import Moment, search
    from reverie.client.opening import connect
    from reverie.client.received import Connected, Event, Frame, Reconnecting, Stats
    from reverie.client.session import Session
    from reverie.client.sources import Camera, File, Frames, Source

_HOME = {
    "opening": ("connect",),
    "session": ("Session",),
    "moments": ("Moment", "search"),
    "received": ("Connected", "Event", "Frame", "Reconnecting", "Stats"),
    "sources": ("Camera", "File", "Frames", "Source"),
    "errors": (
        "AtCapacity", "BadOffer", "BadRequest", "BadSource", "ConnectionLost", "MediaFailed", "NotReady",
        "ReverieError", "UnknownModel", "Unsupported",
    ),
}  # fmt: skip
__all__ = [
    "AtCapacity", "BadOffer", "BadRequest", "BadSource", "Camera", "Connected", "ConnectionLost", "Event", "File",
    "Frame", "Frames", "MediaFailed", "Moment", "NotReady", "Reconnecting", "ReverieError", "Session", "Source",
    "Stats", "UnknownModel", "Unsupported", "connect", "search",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    for module, names in _HOME.items():
        if name in names:
            return getattr(import_module(f"reverie.client.{module}"), name)
    raise AttributeError(f"module 'reverie.client' has no attribute {name!r}")

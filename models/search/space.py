"""The space that words and pictures share, and where it comes from.

By default it is MiniLM's: a picture goes where the names that a classifier gives it lie, weighted by how likely they
are (ConSE, arXiv 1312.5650), moved by a head that was fitted to pictures with words (`joint.py`).  With weights of
CLIP or SigLIP a picture goes where their own encoder puts it (`contrastive.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]
Picture = NDArray[np.uint8]  # (H, W, 3) RGB


@dataclass(frozen=True, slots=True)
class Seen:
    """What a picture shows."""

    vector: F32  # (D,), length 1
    labels: tuple[tuple[str, float], ...] = ()  # names and how likely each is, likeliest first
    look: tuple[str, float] = ("", 0.0)  # like which look it is made, and how surely; "" is a photograph


class Space(Protocol):
    """Calls may come from any thread."""

    name: str  # vectors of spaces with different names cannot be compared
    width: int

    def words(self, texts: Sequence[str]) -> F32:
        """(N, D), rows of length 1."""

    def looks(self, text: str) -> list[str]:
        """Names of the looks that a text asks for, the surest first; [] if it asks for none."""

    def pictures(self, pictures: Sequence[Picture]) -> list[Seen]:
        """One each."""


def load(source: str = "") -> Space:
    """Args: source: "" is the packaged space; else CLIP or SigLIP: a folder or a hub id that transformers reads.

    Raises: FileNotFoundError with what to install; ValueError if the source cannot be used.
    """
    if source:
        from reverie.models.search.contrastive import Contrastive

        return Contrastive(source)
    from reverie.models.search.joint import Joint

    return Joint()


def unit(x: F32) -> F32:
    """Rows of length 1; a row of zeros stays one."""
    return np.asarray(x / np.maximum(np.linalg.norm(x, axis=-1, keepdims=True), 1e-12), np.float32)

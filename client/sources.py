"""Where frames come from: a camera, a file, arrays, or a track of aiortc.  They are opened by `connect`."""

from __future__ import annotations

from collections.abc import AsyncIterable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    from aiortc.mediastreams import MediaStreamTrack
    from numpy.typing import NDArray

Picture: TypeAlias = "NDArray[np.uint8]"  # (H, W, 3) RGB


@dataclass(frozen=True)
class Camera:
    """A camera of this machine: its number, or its name as FFmpeg has it."""

    device: int | str = 0
    width: int = 640
    height: int = 360
    fps: int = 30


@dataclass(frozen=True)
class File:
    """A video file, played at its own pace; `loop` begins anew at its end."""

    path: str | Path
    loop: bool = False


@dataclass(frozen=True)
class Frames:
    """Arrays (H, W, 3) uint8 RGB with even sides, shown at `fps`; it ends when they end.

    Live: a frame that is late is sent at once, and those after it keep their distance to it.
    """

    frames: Iterable[Picture] | AsyncIterable[Picture]
    fps: float = 30.0


Source: TypeAlias = "Camera | File | Frames | MediaStreamTrack"

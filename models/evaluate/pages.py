"""What people look at: contact sheets, and short videos of before and after."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]  # (H, W, 3) RGB
TILE, COLUMNS, LABEL = (320, 180), 5, 18


def sheet(pictures: Mapping[str, Picture], path: Path, columns: int = COLUMNS) -> None:
    """Write a PNG of named pictures in rows.  Raises: OSError if it cannot be written."""
    tiles = [_named(picture, name) for name, picture in pictures.items()]
    tiles += [np.full_like(tiles[0], 255)] * (-len(tiles) % columns)
    whole = np.concatenate([np.concatenate(tiles[n : n + columns], 1) for n in range(0, len(tiles), columns)])
    path.parent.mkdir(parents=True, exist_ok=True)
    if not cv2.imwrite(str(path), cv2.cvtColor(whole, cv2.COLOR_RGB2BGR)):
        raise OSError(f"{path} cannot be written")


def _named(picture: Picture, name: str) -> Picture:
    tile = np.full((TILE[1] + LABEL, TILE[0], 3), 255, np.uint8)
    tile[LABEL:] = cv2.resize(picture, TILE, interpolation=cv2.INTER_AREA)
    cv2.putText(tile, name, (4, LABEL - 5), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (0, 0, 0), 1, cv2.LINE_AA)
    return tile


def video(source: Sequence[Picture], shown: Sequence[Picture], path: Path, rate: int = 15) -> None:
    """Write an MP4 (H.264) with before on the left and after on the right."""
    path.parent.mkdir(parents=True, exist_ok=True)
    height, width = source[0].shape[:2]
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate, options={"crf": "21", "preset": "veryfast", "threads": "1"})
        stream.width, stream.height, stream.pix_fmt = 2 * width, height, "yuv420p"
        for t, (before, after) in enumerate(zip(source, shown, strict=True)):
            frame = av.VideoFrame.from_ndarray(np.concatenate((before, after), 1), format="rgb24")
            frame.pts, frame.time_base = t, Fraction(1, rate)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


LIMITS: tuple[tuple[str, str, float, int], ...] = (
    ("recognised", "recognised", 0.9, 1), ("recognised_unseen", "unseen words", 0.85, 1),
    ("faces_kept", "faces found", 0.95, 1), ("landmark_error", "points moved", 0.04, -1),
    ("warp_error_by_teacher", "motion, by teacher", 1.1, -1),
    ("warp_error_by_source_and_gradient", "motion, by source", 1.2, -1), ("still_flicker", "still", 1.0, -1),
    ("cut_recovered_frames", "cut, frames", 3, -1), ("float32_gain_db", "bytes cost, dB", 1.0, -1),
)  # fmt: skip
"""Figures that have a limit: key, title, limit, and 1 where more is better."""


def table(rows: Mapping[str, Mapping[str, Any]]) -> str:
    """Figures of looks as Markdown, what misses its limit in bold."""
    lines = [
        "| | " + " | ".join(title for _, title, _, _ in LIMITS) + " |",
        "|---" * (1 + len(LIMITS)) + "|",
        "| limit | " + " | ".join(f"{limit:g}" for _, _, limit, _ in LIMITS) + " |",
    ]
    for look, row in rows.items():
        cells = ["" if key not in row else _cell(row[key], limit, way) for key, _, limit, way in LIMITS]
        lines.append(f"| {look} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _cell(value: float, limit: float, way: int) -> str:
    shown = f"{value:.3g}"
    return shown if (value - limit) * way >= 0 else f"**{shown}**"

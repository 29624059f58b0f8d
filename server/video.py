"""Video files through PyAV: frames in, frames and sound out, with their own timestamps."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from reverie.server.pictures import Picture, to_frame, to_rgb

MUXERS = {".mp4": "mp4", ".mov": "mov", ".mkv": "matroska", ".webm": "webm", ".avi": "avi"}
MP4_BOXES = {b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot"}


class Reader:
    """A video file.  Only the containers of `MUXERS`, told by their first bytes, and only local files.

    Raises: FileNotFoundError, IsADirectoryError; ValueError if it is no video, has no frames or is cut short.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        if path.is_dir():
            raise IsADirectoryError(f"{path} is a directory, not a video")
        if not path.is_file():
            raise FileNotFoundError(f"{path} does not exist")
        try:
            self.container = av.open(str(path), format=sniff(path), options={"protocol_whitelist": "file"})
        except av.FFmpegError as error:
            raise ValueError(f"{path.name} cannot be read: {error.strerror}") from None
        if not self.container.streams.video:
            raise ValueError(f"{path.name} has no video stream")
        self.stream = self.container.streams.video[0]
        self.stream.thread_type = "AUTO"
        self.audio = self.container.streams.audio[0] if self.container.streams.audio else None
        self.rate = self.stream.average_rate or self.stream.guessed_rate or Fraction(30)
        self.time_base: Fraction = self.stream.time_base or Fraction(1, 90000)
        self.promised: int = self.stream.frames  # 0 if the container does not say

    def packets(self) -> Iterator[Any]:
        """Packets of sound and picture in file order.  Raises ValueError where the file is damaged or ends too soon."""
        count, last = 0, 0.0
        try:
            for packet in self.container.demux([s for s in (self.stream, self.audio) if s is not None]):
                if packet.stream is self.stream and packet.size:
                    if packet.is_corrupt:
                        raise ValueError(f"{self.path.name} is truncated or damaged after {count} frames")
                    count += 1
                    if packet.pts is not None:
                        last = max(last, float((packet.pts + (packet.duration or 0)) * self.time_base))
                yield packet
        except av.FFmpegError as error:
            raise ValueError(f"{self.path.name} is damaged after {count} frames: {error.strerror}") from None
        self._check_end(count, last)

    def _check_end(self, count: int, last_s: float) -> None:
        if not count:
            raise ValueError(f"{self.path.name} has 0 frames")
        isobmff = "mp4" in self.container.format.name
        if isobmff and self.promised and count < self.promised:
            raise ValueError(f"{self.path.name} is truncated: {count} of {self.promised} frames are there")
        if self.container.duration and not self.audio:
            start = (self.container.start_time or 0) / av.time_base
            promised = start + self.container.duration / av.time_base
            if last_s < 0.9 * promised - 1:
                raise ValueError(f"{self.path.name} is truncated: {last_s:.1f} of {promised:.1f} seconds are there")

    def decode(self, packet: Any) -> Iterator[av.VideoFrame]:
        """Frames of a video packet.  Raises ValueError if it is damaged."""
        try:
            yield from packet.decode()
        except av.FFmpegError as error:
            raise ValueError(f"{self.path.name} is damaged: {error.strerror}") from None

    def frames(self) -> Iterator[av.VideoFrame]:
        """All that come from here on.  Raises ValueError where the file is damaged."""
        try:
            for packet in self.container.demux(self.stream):
                yield from self.decode(packet)
        except av.FFmpegError as error:
            raise ValueError(f"{self.path.name} is damaged: {error.strerror}") from None

    def close(self) -> None:
        self.container.close()


def sniff(path: Path) -> str:
    """FFmpeg's name of the container, told by its first bytes.  Raises ValueError if it is none of ours."""
    with path.open("rb") as file:
        head = file.read(12)
    if head[:4] == b"\x1aE\xdf\xa3":
        return "matroska"
    if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
        return "avi"
    if head[4:8] in MP4_BOXES:
        return "mov"
    if not head:
        raise ValueError(f"{path.name} is empty")
    raise ValueError(f"{path.name} is not a video in mp4, mov, mkv, webm or avi")


def upright(frame: av.VideoFrame) -> Picture:
    """RGB, turned as the file's rotation says."""
    quarters = round(getattr(frame, "rotation", 0) / 90) % 4
    picture = to_rgb(frame)
    return np.ascontiguousarray(np.rot90(picture, quarters)) if quarters else picture


def even(picture: Picture, name: str) -> tuple[int, int]:
    """Width and height as 4:2:0 has them: an odd one loses a pixel.  Raises ValueError if nothing is left."""
    height, width = (n // 2 * 2 for n in picture.shape[:2])
    if not width or not height:
        raise ValueError(f"{name} is too small: {picture.shape[1]}x{picture.shape[0]}")
    return width, height


class Pictures:
    """The video stream of a container that is written: H.264, or VP9 in WebM."""

    def __init__(self, container: Any, suffix: str, like: Reader, size: tuple[int, int], seams: bool = False) -> None:
        """
        Args:
            suffix: of the final name, which chooses the codec and the times.
            size: width and height, even.
            seams: what is written may be put behind other such pictures: no times before the first one's.
        """
        webm = suffix == ".webm"
        self.time_base = 1 / Fraction(like.rate) if suffix == ".avi" and not seams else like.time_base
        options = {"deadline": "realtime", "cpu-used": "6", "row-mt": "1", "crf": "24", "b": "0"}
        if not webm:
            options = {"preset": "veryfast", "crf": "17"} | ({"bf": "0"} if seams else {})
        rate = Fraction(like.rate).limit_denominator(60000)
        self._container = container
        self.stream: Any = container.add_stream("libvpx-vp9" if webm else "libx264", rate=rate, options=options)
        self.stream.width, self.stream.height, self.stream.pix_fmt = *size, "yuv420p"
        self.stream.codec_context.time_base = self.time_base
        self._last = -1 << 62

    def put(self, picture: Picture, pts: int, time_base: Fraction) -> None:
        """A frame, (H, W, 3) RGB, at a time in units of `time_base`; times that do not grow are moved on by one."""
        frame = to_frame(picture)
        at = pts if time_base == self.time_base else round(pts * time_base / self.time_base)
        frame.pts = self._last = max(at, self._last + 1)
        frame.time_base = self.time_base
        self._container.mux(self.stream.encode(frame))

    def finish(self) -> None:
        self._container.mux(self.stream.encode(None))


class Sound:
    """The sound of a source in a container that is written: copied where that takes it, else encoded anew."""

    def __init__(self, container: Any, suffix: str, source: Any) -> None:
        self._container, self._resampler = container, None  # type: Any, Any
        taken = container.supported_codecs
        if source.codec_context.name in taken or source.codec.canonical_name in taken:
            self._stream = container.add_stream_from_template(source)
            return
        webm = suffix == ".webm"
        name, rate = ("libopus", 48000) if webm else ("aac", source.rate or 48000)
        self._stream = container.add_stream(name, rate=rate)
        layout = "stereo" if source.codec_context.channels > 1 else "mono"
        self._stream.codec_context.layout = layout
        form = "flt" if webm else "fltp"
        self._resampler = av.AudioResampler(format=form, layout=layout, rate=rate, frame_size=960 if webm else 1024)

    def put(self, packet: Any) -> None:
        if self._resampler is None:
            if packet.dts is not None:
                packet.stream = self._stream
                self._container.mux(packet)
            return
        for frame in packet.decode():
            for part in self._resampler.resample(frame):
                self._container.mux(self._stream.encode(part))

    def finish(self) -> None:
        if self._resampler is not None:
            for part in self._resampler.resample(None):
                self._container.mux(self._stream.encode(part))
            self._container.mux(self._stream.encode(None))


class Writer:
    """An output file: pictures, and the sound of its source."""

    def __init__(self, path: Path, suffix: str, like: Reader, size: tuple[int, int], metadata: dict[str, str]) -> None:
        """Args: suffix: of the final name, which chooses the container.  size: width and height, even."""
        self.container = av.open(str(path), "w", format=MUXERS[suffix])
        self.container.metadata.update(metadata)
        self._pictures = Pictures(self.container, suffix, like, size)
        self._sound = Sound(self.container, suffix, like.audio) if like.audio is not None else None
        self.put = self._pictures.put

    def put_audio(self, packet: Any) -> None:
        if self._sound is not None:
            self._sound.put(packet)

    def finish(self) -> None:
        self._pictures.finish()
        if self._sound is not None:
            self._sound.finish()
        self.container.close()

"""A long video in chunks: each is painted and encoded apart, and all are joined as if there had been no cut.

A chunk begins at a keyframe.  Whoever paints it with a new stream first paints, and throws away, what a stream
recalls: the first picture of the video, which stays for ever, and the OVERLAP pictures before the chunk.  `nano`
recalls no more, so a chunk is the same to the bit whoever painted the one before.
"""

from __future__ import annotations

import heapq
from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import av

from reverie.server import provenance
from reverie.server.pictures import Picture
from reverie.server.video import MUXERS, Pictures, Reader, Sound, even, upright

CHUNK_S = 10.0  # a chunk lasts at least so long
LONGEST_S = 30.0  # and is cut between keyframes where it would last longer
OVERLAP = 8  # pictures before a chunk that its stream sees


@dataclass(frozen=True, slots=True)
class Chunk:
    """Pictures whose times are `begin` to below `end`, in the video's time base; None is its first and its last."""

    number: int
    begin: int | None
    end: int | None
    pictures: int
    seek: int | None = None  # time of a keyframe at least OVERLAP pictures before `begin`; None is the file's start

    def segment(self, folder: Path) -> Path:
        """The file that it becomes."""
        return folder / f"{self.number:05}.nut"


def plan(reader: Reader, chunk_s: float = CHUNK_S, longest_s: float = LONGEST_S) -> tuple[Chunk, ...]:
    """Cut a video.  Reads all of the file and decodes nothing; the same file is always cut the same way.

    Raises: ValueError if it is damaged or cut short.
    """
    packets = [(packet.pts, packet.is_keyframe) for packet in reader.packets() if _shows(packet, reader)]
    times = sorted(pts for pts, _ in packets if pts is not None)
    if len(set(times)) != len(packets) or _guesses_times(reader):
        return (Chunk(0, None, None, len(packets)),)  # without a time for each picture there is no telling them apart
    keys = sorted(pts for pts, key in packets if key)
    cuts = _cuts(times, set(keys), float(reader.time_base), chunk_s, longest_s)
    at = [None, *(times[place] for place in cuts[1:-1]), None]
    return tuple(
        Chunk(number, at[number], at[number + 1], b - a, _before(keys, times, a))
        for number, (a, b) in enumerate(pairwise(cuts))
    )


def _shows(packet: Any, reader: Reader) -> bool:
    return packet.stream is reader.stream and bool(packet.size)


def _guesses_times(reader: Reader) -> bool:
    """AVI has no times of pictures; FFmpeg's guesses are out of order where there are B-frames."""
    return "avi" in reader.container.format.name and reader.stream.codec_context.has_b_frames


def _cuts(times: Sequence[int], keys: set[int], unit_s: float, chunk_s: float, longest_s: float) -> list[int]:
    """Places in `times` where chunks begin, and the end."""
    cuts = [0]
    for place, at in enumerate(times):
        seconds = (at - times[cuts[-1]]) * unit_s
        if place and (seconds >= longest_s or (seconds >= chunk_s and at in keys)):
            cuts.append(place)
    return [*cuts, len(times)]


def _before(keys: Sequence[int], times: Sequence[int], place: int) -> int | None:
    if place < OVERLAP:
        return None
    found = bisect_right(keys, times[place - OVERLAP])
    return keys[found - 1] if found else None


def paint(
    path: Path, chunk: Chunk, folder: Path, suffix: str, paint_one: Callable[[Picture], Picture], fresh: bool
) -> None:  # fmt: skip
    """Paint a chunk into its segment in a folder; that file is whole or not there.

    Args:
        suffix: of the final output's name, which chooses the codec.
        paint_one: the picture that is shown in place of one of the source, upright; all of one size.
        fresh: whether the painter's stream has just begun; else it has painted the chunk before.
    Raises: ValueError if the source is damaged; whatever `paint_one` raises.
    """
    segment = chunk.segment(folder)
    partial = segment.with_suffix(".partial")
    reader = Reader(path)
    try:
        with av.open(str(partial), "w", format="nut") as container:
            _paint(reader, chunk, container, suffix, paint_one, fresh)
        partial.replace(segment)
    finally:
        reader.close()
        partial.unlink(missing_ok=True)


def _paint(
    reader: Reader, chunk: Chunk, container: Any, suffix: str, paint_one: Callable[[Picture], Picture], fresh: bool
) -> None:  # fmt: skip
    written: Pictures | None = None
    recalled: deque[av.VideoFrame] = deque(maxlen=OVERLAP)
    for count, frame in enumerate(_frames(reader, chunk.seek)):
        at = frame.pts if frame.pts is not None else round(count / reader.rate / reader.time_base)
        if chunk.begin is not None and at < chunk.begin:
            recalled.append(frame)
            continue
        if chunk.end is not None and at >= chunk.end:
            break
        if fresh and recalled:
            for each in (_first(reader.path), *recalled):
                paint_one(upright(each))
        recalled.clear()
        shown = paint_one(upright(frame))
        written = written or Pictures(container, suffix, reader, even(shown, reader.path.name), seams=True)
        written.put(shown, at, frame.time_base or reader.time_base)
    if written is None:
        raise ValueError(f"{reader.path.name} has no pictures from {chunk.begin} to {chunk.end}")
    written.finish()


def _frames(reader: Reader, since: int | None) -> Iterator[av.VideoFrame]:
    """From a keyframe on; from the file's start where the container leads to a later one."""
    if since is not None:
        reader.container.seek(since, stream=reader.stream)
        frames = reader.frames()
        first = next(frames, None)
        if first is not None and first.pts is not None and first.pts <= since:
            yield first
            yield from frames
            return
        reader.container.seek(0)
    yield from reader.frames()


def _first(path: Path) -> av.VideoFrame:
    reader = Reader(path)
    try:
        return next(reader.frames())
    finally:
        reader.close()


def join(segments: Sequence[Path], source: Path, output: Path, suffix: str) -> None:
    """Put segments behind each other, with the sound of their source; nothing is encoded anew but sound that must be.

    Raises: ValueError if the segments differ in size or the source is damaged.
    """
    reader = Reader(source)
    try:
        with av.open(str(output), "w", format=MUXERS[suffix]) as container:
            container.metadata.update(provenance.tags(suffix))
            with av.open(str(segments[0])) as first:
                like = first.streams.video[0]
                size = like.codec_context.width, like.codec_context.height
                video = container.add_stream_from_template(like)
            unit = 1 / Fraction(reader.rate) if suffix == ".avi" else reader.time_base
            video.time_base = unit
            sound = Sound(container, suffix, reader.audio) if reader.audio is not None else None
            _interleave(container, video, sound, _encoded(segments, size, unit), _heard(reader))
            if sound is not None:
                sound.finish()
    finally:
        reader.close()


def _interleave(container: Any, video: Any, sound: Sound | None, shown: Iterable[Any], heard: Iterable[Any]) -> None:
    """By time, so that neither waits in memory for the other."""
    timed = lambda packets, kind: ((float(each.dts * each.time_base), kind, each) for each in packets)
    for _, kind, packet in heapq.merge(timed(shown, "video"), timed(heard, "sound"), key=lambda each: each[0]):
        if kind == "video":
            packet.stream = video
            container.mux(packet)
        elif sound is not None:
            sound.put(packet)


def _encoded(segments: Sequence[Path], size: tuple[int, int], unit: Fraction) -> Iterator[Any]:
    """Packets of all segments, in the units of the output; times that do not grow are moved on by one."""
    last = -1 << 62
    for path in segments:
        with av.open(str(path)) as container:
            context = container.streams.video[0].codec_context
            if (context.width, context.height) != size:
                raise ValueError(
                    f"the picture's size changes from {size[0]}x{size[1]} to {context.width}x{context.height}"
                )
            for packet in container.demux(video=0):
                if packet.size:
                    last = max(round(packet.pts * packet.time_base / unit), last + 1)
                    packet.duration = round((packet.duration or 0) * packet.time_base / unit)
                    packet.pts = packet.dts = last
                    packet.time_base = unit
                    yield packet


def _heard(reader: Reader) -> Iterator[Any]:
    if reader.audio is None:
        return
    try:
        yield from (packet for packet in reader.container.demux(reader.audio) if packet.dts is not None)
    except av.FFmpegError as error:
        raise ValueError(f"the sound of {reader.path.name} is damaged: {error.strerror}") from None

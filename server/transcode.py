"""A video file read, every picture of it painted anew, and written again with its times and its sound."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from reverie.server import provenance
from reverie.server.pictures import Picture
from reverie.server.video import Reader, Writer, even, upright


def transcode(reader: Reader, output: Path, suffix: str, paint: Callable[[Picture], Picture]) -> None:
    """
    Args:
        suffix: of the output's final name (".mp4"), which chooses the container.
        paint: the picture that is shown in place of one of the source, upright; all of one size.
    Raises: ValueError with one clear sentence, and whatever `paint` raises; then the output is not whole.
    """
    writer: Writer | None = None
    held: list[Any] = []  # sound that comes before the first picture
    count = 0
    try:
        for packet in reader.packets():
            if packet.stream is not reader.stream:
                (writer.put_audio if writer else held.append)(packet)
                continue
            for frame in reader.decode(packet):
                shown = paint(upright(frame))
                if writer is None:
                    size = even(shown, reader.path.name)
                    writer = Writer(output, suffix, reader, size, provenance.tags(suffix))
                    for early in held:
                        writer.put_audio(early)
                pts = frame.pts if frame.pts is not None else round(count / reader.rate / reader.time_base)
                writer.put(shown, pts, frame.time_base or reader.time_base)
                count += 1
        if writer is None:
            raise ValueError(f"{reader.path.name} has 0 frames")
        writer.finish()
    except BaseException:
        if writer is not None:
            writer.container.close()
        raise

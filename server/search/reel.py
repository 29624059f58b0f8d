"""Highlights in one video: the best moments of a search, cut out of recordings and footage, in order of time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np

from reverie.server import provenance
from reverie.server.access import NAME
from reverie.server.pictures import Picture, to_frame
from reverie.server.search.journal import Journal
from reverie.server.search.moments import Moment
from reverie.server.video import Reader, upright

RATE = 30
LONGEST_S, SHORTEST_S = 6.0, 1.5  # of one moment
STILL_S = 0.5  # of a thumbnail, where there is no footage
AREA = 1280 * 720


def reel(journal: Journal, moments: Sequence[Moment], recordings: Path, out: Path) -> dict[str, Any]:
    """Write the video, whole or not at all; how many moments and seconds it has.

    Args: recordings: the tenant's folder of them.
    Raises: ValueError if there is nothing to show, or the name does not end in .mp4.
    """
    if out.suffix.lower() != ".mp4":
        raise ValueError(f"a reel is an mp4; {out.name} does not end in .mp4")
    partial, frames, used = out.with_name(f".{out.name}.partial"), 0, 0
    container: Any = None
    try:
        for moment in sorted(moments, key=lambda each: each.begin):
            before = frames
            for picture in pictures(journal, moment, recordings):
                if container is None:
                    container, video = _open(partial, picture)
                frame = to_frame(_fitted(picture, (video.width, video.height)))
                frame.pts, frame.time_base = frames, Fraction(1, RATE)
                container.mux(video.encode(frame))
                frames += 1
            used += frames > before
        if container is None:
            raise ValueError("none of the moments that were found has a recording, footage or thumbnails left")
        container.mux(video.encode(None))
        container.close()
        provenance.mark(partial, ".mp4")
        partial.replace(out)
    finally:
        partial.unlink(missing_ok=True)
    return {"moments": used, "seconds": round(frames / RATE, 2), "width": video.width, "height": video.height}


def pictures(journal: Journal, moment: Moment, recordings: Path) -> Iterator[Picture]:
    """What a moment showed, thirty a second: from its video if that is there, else its thumbnails."""
    path = media_file(moment, recordings)
    if path is not None and path.suffix.lower() not in (".jpg", ".jpeg", ".png", ".webp", ".bmp"):
        length = min(LONGEST_S, max(SHORTEST_S, moment.end - moment.begin))
        made = False
        for picture in _cut(path, moment.media_s, length):
            made = True
            yield picture
        if made:
            return
    for n in range(sum(journal.thumbnails([moment.id])[moment.id].values())):
        for side in ("output", "source"):
            if (raw := journal.thumbnail(moment.id, side, n)) is not None:
                found = cv2.imdecode(np.frombuffer(raw, np.uint8), cv2.IMREAD_COLOR)
                yield from [np.asarray(cv2.cvtColor(found, cv2.COLOR_BGR2RGB))] * round(STILL_S * RATE)
                break


def media_file(moment: Moment, recordings: Path) -> Path | None:
    """The file in which a moment can be seen again, if it is still there."""
    kind, _, name = moment.media.partition(":")
    path = Path(name) if kind == "file" else recordings / f"{name}.mp4" if NAME.fullmatch(name) else None
    return path if path is not None and path.is_file() else None


def _cut(path: Path, begin_s: float, length_s: float) -> Iterator[Picture]:
    """At thirty a second, whatever the file's own rate is."""
    try:
        reader = Reader(path)
    except (ValueError, OSError):
        return
    try:
        reader.container.seek(round(begin_s / reader.time_base), stream=reader.stream)
        shown = 0
        for packet in reader.container.demux(reader.stream):
            for frame in packet.decode():
                at = float((frame.pts or 0) * reader.time_base) - begin_s
                while shown / RATE <= at and shown < length_s * RATE:
                    yield upright(frame)
                    shown += 1
                if at > length_s:
                    return
    except av.FFmpegError:
        return
    finally:
        reader.close()


def _open(path: Path, like: Picture) -> tuple[Any, Any]:
    scale = min(1.0, (AREA / (like.shape[0] * like.shape[1])) ** 0.5)
    container: Any = av.open(str(path), "w", format="mp4")
    container.metadata.update(provenance.tags(".mp4"))
    video = container.add_stream("libx264", rate=RATE, options={"preset": "veryfast", "crf": "20"})
    video.width, video.height = (max(2, int(side * scale) // 2 * 2) for side in (like.shape[1], like.shape[0]))
    video.pix_fmt = "yuv420p"
    return container, video


def _fitted(picture: Picture, size: tuple[int, int]) -> Picture:
    """Whole, in the middle, on black."""
    scale = min(size[0] / picture.shape[1], size[1] / picture.shape[0])
    inner = max(1, round(picture.shape[1] * scale)), max(1, round(picture.shape[0] * scale))
    small = cv2.resize(picture, inner, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    whole = np.zeros((size[1], size[0], 3), np.uint8)
    x, y = (size[0] - inner[0]) // 2, (size[1] - inner[1]) // 2
    whole[y : y + inner[1], x : x + inner[0]] = small
    return whole

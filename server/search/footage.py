"""Existing footage into the index: `reverie index FOLDER`; goes on where it was stopped, holds few frames at once."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import av
import cv2
import numpy as np

from reverie.models.search.space import F32, Space, unit
from reverie.server import references
from reverie.server.pictures import reformat
from reverie.server.search.archive import Archive
from reverie.server.search.eye import Eye, Picture, Sight
from reverie.server.search.moments import Merger, Window
from reverie.server.search.thumbnails import STRIP, webp
from reverie.server.segment import Segmenter
from reverie.server.video import MUXERS, Reader

PICTURES = (".jpg", ".jpeg", ".png", ".webp", ".bmp")
EVERY_S = 0.25  # between instants that are looked at
WIDTH = 320  # pixels of a picture that is looked at
ASKED_S, ASKED_PIXELS = 10.0, 40_000_000  # of a clip that is asked with; of one of its pictures
MARKS = ((b"\x89PNG", 0), (b"\xff\xd8\xff", 0), (b"WEBP", 8), (b"BM", 0))  # beginnings of pictures' files, and where
Told = Callable[[Path, float, float], None]  # a file, seconds of it that are done, and how long it is


def files(folder: Path) -> list[Path]:
    """Videos and pictures under a folder, or the one file.  Raises: FileNotFoundError; ValueError if there are none."""
    if not folder.exists():
        raise FileNotFoundError(f"{folder} does not exist")
    some = [folder] if folder.is_file() else sorted(path for path in folder.rglob("*") if path.is_file())
    found = [path for path in some if path.suffix.lower() in (*MUXERS, *PICTURES)]
    if not found:
        raise ValueError(f"{folder} has no videos ({', '.join(MUXERS)}) and no pictures ({', '.join(PICTURES)})")
    return found


@dataclass(frozen=True, slots=True)
class Due:
    """A file that is to be read, from a second on; its stamp tells whether it has changed since."""

    path: Path
    stamp: str
    begin_s: float


@dataclass(frozen=True, slots=True)
class Look:
    """One instant of a file: the windows that it filled, each with a thumbnail (WebP)."""

    at: float
    whole_s: float  # length of the file at its first instant, else 0
    windows: tuple[tuple[Window, bytes], ...]


Looks = Callable[[Iterator[Due]], Iterator[tuple[Due, Iterator[Look]]]]  # who reads the files, here or elsewhere


def index(
    archive: Archive, tenant: str, paths: list[Path], segmenter: Segmenter | None = None,
    told: Told = lambda path, done, whole: None, looks: Looks | None = None,
) -> dict[str, int]:  # fmt: skip
    """Index files that are not yet, or have changed; how many files were read, known and damaged, and moments made."""
    report = {"read": 0, "known": 0, "damaged": 0, "moments": 0}
    due = _due(archive, tenant, paths, report)
    here = ((each, looked(archive.space, each.path, each.begin_s, segmenter)) for each in due)
    for file, seen in looks(due) if looks else here:
        try:
            report["moments"] += _keep(archive, tenant, file, seen, told)
            report["read"] += 1
        except ValueError:
            report["damaged"] += 1
        # whole, or as far as it can be read
        archive.journal(tenant).note_footage(str(file.path.resolve()), file.stamp, -1)
    return report


def _due(archive: Archive, tenant: str, paths: list[Path], report: dict[str, int]) -> Iterator[Due]:
    for path in paths:
        stamp = f"{path.stat().st_size}:{path.stat().st_mtime_ns}"
        before, done_ms = archive.journal(tenant).footage(str(path.resolve()))
        if before == stamp and done_ms < 0:
            report["known"] += 1
            continue
        if before not in ("", stamp):
            archive.delete(tenant, session_of(path))
            done_ms = 0
        yield Due(path, stamp, done_ms / 1000)


def session_of(path: Path) -> str:
    """The name under which a file's moments are kept together."""
    return f"file-{hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:16]}"


def looked(space: Space, path: Path, begin_s: float, segmenter: Segmenter | None) -> Iterator[Look]:
    """What is in a file.  Raises ValueError where it is damaged."""
    eye, at = Eye(space, segmenter), begin_s
    for sight in sights(path, begin_s):
        at = sight.at
        full = tuple((window, webp(middle.source)) for window, middle in eye.put(sight))
        yield Look(at, length_s(path) if at == begin_s else 0.0, full)
    if (last := eye.finish()) is not None:
        yield Look(at, 0.0, ((last[0], webp(last[1].source)),))


def _keep(archive: Archive, tenant: str, file: Due, seen: Iterator[Look], told: Told) -> int:
    """Raises ValueError where the file is damaged; what came before is kept."""
    merger, made, strips = Merger(session_of(file.path)), 0, 0
    epoch, journal = file.path.stat().st_mtime, archive.journal(tenant)
    for look in seen:
        for window, thumbnail in look.windows:
            placed = replace(window, begin=epoch + window.begin, end=epoch + window.end, media_s=window.begin)
            entry, fresh = merger.add(placed)
            made, strips = made + fresh, 0 if fresh else strips + 1
            archive.put(tenant, entry, {("source", strips): thumbnail} if strips < STRIP else {})
            journal.note_footage(str(file.path.resolve()), file.stamp, round(1000 * window.end))
        told(file.path, look.at, look.whole_s)
    return made


def length_s(path: Path) -> float:
    """Of a video, 0 if its file does not say; of a picture 0."""
    if path.suffix.lower() in PICTURES:
        return 0.0
    reader = Reader(path)
    try:
        return float((reader.container.duration or 0) / av.time_base)
    finally:
        reader.close()


def sights(path: Path, begin_s: float = 0.0) -> Iterator[Sight]:
    """Four instants a second of a video, or a picture's one.  Raises ValueError where it is damaged or none."""
    media = f"file:{path.resolve()}"
    if path.suffix.lower() in PICTURES:
        found = cv2.imread(str(path))
        if found is None:
            raise ValueError(f"{path.name} is not a picture")
        return (yield Sight(0.0, _smaller(cv2.cvtColor(found, cv2.COLOR_BGR2RGB)), None, media=media))
    reader, due = Reader(path), begin_s
    try:
        if begin_s:
            reader.container.seek(round(begin_s / reader.time_base), stream=reader.stream)
        if reader.stream.width * reader.stream.height > ASKED_PIXELS:
            raise ValueError(f"{path.name} has pictures of {reader.stream.width}x{reader.stream.height}, 40 MP at most")
        for packet in reader.container.demux(reader.stream):
            for frame in packet.decode():
                if frame.pts is None or (at := float(frame.pts * reader.time_base)) < due:
                    continue
                due = at + EVERY_S - 0.01
                yield Sight(at, _looked_at(frame), None, media=media)
    except av.FFmpegError as error:
        raise ValueError(f"{path.name} is damaged: {error.strerror}") from None
    finally:
        reader.close()


def like_file(space: Space, path: Path) -> F32:
    """The vector of what somebody sent, a picture or a video.  Raises: ValueError with one sentence."""
    with path.open("rb") as file:
        head = file.read(16)
    is_picture = any(head[at : at + len(mark)] == mark for mark, at in MARKS)
    if is_picture:
        return space.pictures([references.decode(path.read_bytes())])[0].vector
    try:
        return asked_with(space, path)
    except (ValueError, av.FFmpegError):
        raise ValueError("what was sent is none of PNG, JPEG, WebP, BMP and no video that can be read") from None


def asked_with(space: Space, path: Path) -> F32:
    """The vector of a picture or of the first ten seconds of a clip, motion and all.  Raises: as `sights`."""
    if not path.is_file():
        raise FileNotFoundError(f"{path} does not exist")
    eye, windows = Eye(space), list[Window]()
    for sight in sights(path):
        if sight.at > ASKED_S:
            break
        windows += [window for window, _ in eye.put(sight)]
    if (last := eye.finish()) is not None:
        windows.append(last[0])
    if not windows:
        raise ValueError(f"{path.name} has no pictures")
    return unit(np.stack([window.vectors["source"] for window in windows]).mean(0))


def _looked_at(frame: av.VideoFrame) -> Picture:
    """Small before it is turned: a 4K frame is never held as RGB."""
    width = min(WIDTH, frame.width)
    small = reformat(frame, width, max(2, round(frame.height * width / frame.width)), "rgb24")
    quarters = round(getattr(frame, "rotation", 0) / 90) % 4
    return np.ascontiguousarray(np.rot90(small.to_ndarray(), quarters))


def _smaller(picture: Picture) -> Picture:
    width = min(WIDTH, picture.shape[1])
    size = width, max(1, round(picture.shape[0] * width / picture.shape[1]))
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA))

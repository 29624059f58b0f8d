"""A video in chunks is the same video, whoever paints which chunk when."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from reverie.server import chunks
from reverie.server.chunks import OVERLAP, plan
from reverie.server.provenance import SOURCE_TYPE, read_mark
from reverie.server.transcode import transcode
from reverie.server.video import Reader


class Painter:
    """Recalls what nano recalls: the first picture for ever, and OVERLAP before this one."""

    def __init__(self) -> None:
        self.seen: list[np.ndarray] = []

    def __call__(self, picture: np.ndarray) -> np.ndarray:
        self.seen.append(picture)
        recalled = [self.seen[0], *self.seen[-1 - OVERLAP :]]
        return (255 - np.mean(recalled, 0)).astype(np.uint8)


def cut(path: Path, chunk_s: float = 0.9, longest_s: float = 9.0) -> tuple[chunks.Chunk, ...]:
    reader = Reader(path)
    try:
        return plan(reader, chunk_s, longest_s)
    finally:
        reader.close()


def pictures(path: Path) -> list[tuple[float, np.ndarray]]:
    with av.open(str(path)) as container:
        return [(float(f.pts * f.time_base), f.to_ndarray(format="rgb24")) for f in container.decode(video=0)]


def whole(path: Path, output: Path, paint: Callable[[np.ndarray], np.ndarray]) -> list[tuple[float, np.ndarray]]:
    reader = Reader(path)
    transcode(reader, output, output.suffix, paint)
    reader.close()
    return pictures(output)


def in_chunks(path: Path, output: Path, chunk_s: float = 0.9) -> list[tuple[float, np.ndarray]]:
    """Last chunk first, each by a painter of its own."""
    made, folder = cut(path, chunk_s), output.with_suffix(".chunks")
    folder.mkdir()
    assert len(made) >= 3
    for chunk in reversed(made):
        chunks.paint(path, chunk, folder, output.suffix, Painter(), fresh=True)
    chunks.join([chunk.segment(folder) for chunk in made], path, output, output.suffix)
    return pictures(output)


@pytest.mark.parametrize(
    ("source", "options", "output"),
    [
        ("in.mp4", {"g": "25"}, "out.mp4"), ("in.mkv", {"g": "25", "x264-params": "open-gop=1"}, "out.webm"),
        ("in.mov", {"g": "25"}, "out.mkv"), ("in.mp4", {"g": "25"}, "out.avi"),
    ],
)  # fmt: skip
def test_chunks_that_strangers_painted_join_without_a_seam(
    make_clip: Any, tmp_path: Path, source: str, options: dict[str, str], output: str
) -> None:
    clip = make_clip(source, count=80, options=options)
    joined = in_chunks(clip, tmp_path / output)
    once = whole(clip, tmp_path / f"once{Path(output).suffix}", Painter())
    assert len(joined) == len(once) == 80
    late = 0.041 if output.endswith("avi") else 0.001  # AVI has no times: FFmpeg guesses them a picture late
    assert np.allclose([at for at, _ in joined], [at for at, _ in pictures(clip)], atol=late)
    errors = [float(np.abs(a.astype(int) - b).mean()) for (_, a), (_, b) in zip(joined, once, strict=True)]
    assert output.endswith("avi") or max(errors) < 2.5, errors  # two encodings of the same pictures
    if output.endswith((".mkv", ".webm")):
        assert read_mark(tmp_path / output) == SOURCE_TYPE


def test_a_painter_of_a_later_chunk_sees_the_first_picture_and_what_lies_before_its_chunk(
    make_clip: Any, tmp_path: Path
) -> None:
    clip = make_clip("in.mp4", count=80, options={"g": "25"})
    last, painter, through = cut(clip)[-1], Painter(), Painter()
    chunks.paint(clip, last, tmp_path, ".mp4", painter, fresh=True)
    assert len(painter.seen) == 1 + OVERLAP + last.pictures
    source = [picture for _, picture in pictures(clip)]
    expected = [source[0], *source[-last.pictures - OVERLAP :]]
    assert all(np.abs(a.astype(int) - b).max() <= 3 for a, b in zip(painter.seen, expected, strict=True))
    chunks.paint(clip, last, tmp_path, ".mp4", through, fresh=False)
    assert len(through.seen) == last.pictures


def test_cuts_lie_at_keyframes_or_where_none_comes_at_the_longest(make_clip: Any) -> None:
    at_keys = cut(make_clip("keys.mp4", count=80, options={"g": "10"}), 0.9)
    assert [chunk.pictures for chunk in at_keys] == [30, 30, 20]
    assert at_keys[0].begin is None and at_keys[-1].end is None
    assert [a.end for a in at_keys[:-1]] == [b.begin for b in at_keys[1:]]
    without = cut(make_clip("none.mp4", count=80, options={"g": "999"}), 0.9, 1.2)
    assert [chunk.pictures for chunk in without] == [30, 30, 20] and without[1].seek == 0
    assert len(cut(make_clip("short.mp4"))) == 1


def test_sound_and_uneven_times_are_kept(make_clip: Any, tmp_path: Path) -> None:
    times = [40 * n + (13 if n % 3 else 0) for n in range(80)]
    clip = make_clip("in.mkv", count=80, times=times, sound="aac", options={"g": "20"})
    shown = in_chunks(clip, tmp_path / "out.mp4", 0.7)
    assert [round(at * 1000) for at, _ in shown] == times
    with av.open(str(clip)) as source, av.open(str(tmp_path / "out.mp4")) as output:
        heard = [[bytes(p) for p in each.demux(audio=0) if p.size] for each in (source, output)]
    assert heard[0] == heard[1] and len(heard[0]) > 100


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".webm"])
def test_the_whole_lasts_as_long_as_its_source(make_clip: Any, tmp_path: Path, suffix: str) -> None:
    """Also its last picture, which no other one ends."""
    clip = make_clip("in.mp4", count=64, options={"g": "10"})
    in_chunks(clip, tmp_path / f"out{suffix}")
    with av.open(str(clip)) as source, av.open(str(tmp_path / f"out{suffix}")) as output:
        assert abs(output.duration - source.duration) < 0.05 * av.time_base


def test_avi_with_pictures_out_of_order_is_one_chunk(make_clip: Any, tmp_path: Path) -> None:
    (only,) = cut(make_clip("in.avi", count=80, options={"g": "10"}))
    assert (only.begin, only.end, only.pictures) == (None, None, 80)


def test_a_fault_leaves_no_segment(make_clip: Any, tmp_path: Path) -> None:
    clip, folder = make_clip("in.mp4"), tmp_path / "chunks"
    folder.mkdir()

    def fail(picture: np.ndarray) -> np.ndarray:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        chunks.paint(clip, cut(clip)[0], folder, ".mp4", fail, fresh=True)
    assert not list(folder.iterdir())


def test_segments_of_different_sizes_are_refused(make_clip: Any, tmp_path: Path) -> None:
    clip = make_clip("in.mp4", count=80, options={"g": "25"})
    made = cut(clip)
    for chunk, size in zip(made, (64, 64, 32), strict=False):
        chunks.paint(clip, chunk, tmp_path, ".mp4", lambda picture, size=size: picture[:size, :size], fresh=True)
    with pytest.raises(ValueError, match="changes from 64x64 to 32x32"):
        chunks.join([chunk.segment(tmp_path) for chunk in made], clip, tmp_path / "out.mp4", ".mp4")

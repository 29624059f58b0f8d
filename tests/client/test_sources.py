"""Where frames come from."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from aiortc.mediastreams import MediaStreamError

from reverie.client import BadSource, Camera, File, Frames
from reverie.client.tracks import track_of

GREY = np.full((32, 48, 3), 128, np.uint8)


async def taken(source: Any, count: int = 100) -> list[Any]:
    track, frames = track_of(source), []
    try:
        while len(frames) < count:
            frames.append(await asyncio.wait_for(track.recv(), 10))
    except MediaStreamError:
        pass
    track.stop()
    return frames


async def test_iterators_of_both_kinds_are_sources_as_they_are() -> None:
    async def later() -> AsyncIterator[np.ndarray]:
        for _ in range(3):
            await asyncio.sleep(0)
            yield GREY

    assert len(await taken([GREY] * 2)) == 2
    assert len(await taken(GREY for _ in range(4))) == 4
    assert len(await taken(later())) == 3


async def test_a_file_is_played_to_its_end(make_clip: Any) -> None:
    frames = await taken(File(make_clip("a.mp4", count=12)))
    assert len(frames) in (11, 12) and frames[0].width == 96  # aiortc may keep the last for itself


@pytest.mark.parametrize("source", [File("/nowhere.mp4"), Camera("/dev/no-camera"), "cam", 3, Frames([GREY], fps=0)])
async def test_what_cannot_be_a_source_says_so(source: Any) -> None:
    with pytest.raises(BadSource):
        track_of(source)


async def test_a_file_that_is_no_video_says_so(tmp_path: Path) -> None:
    (tmp_path / "x.mp4").write_bytes(b"not a video")
    with pytest.raises(BadSource, match=r"x\.mp4"):
        track_of(File(tmp_path / "x.mp4"))

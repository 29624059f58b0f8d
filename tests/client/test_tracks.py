"""Sources as tracks."""

import asyncio
import time
from typing import Any

import numpy as np
import pytest
from aiortc.mediastreams import MediaStreamError, VideoStreamTrack

from reverie.client import BadSource, Frames
from reverie.client.tracks import Counted, track_of

GREY = np.full((32, 48, 3), 128, np.uint8)


async def taken(source: Any) -> list[Any]:
    track, frames = track_of(source), []
    try:
        while True:
            frames.append(await asyncio.wait_for(track.recv(), 10))
    except MediaStreamError:
        pass
    track.stop()
    return frames


async def test_arrays_keep_their_pace_and_their_colour() -> None:
    began = time.monotonic()
    frames = await taken(Frames([GREY] * 7, fps=60))
    assert [frame.pts for frame in frames] == [1500 * n for n in range(7)]
    assert time.monotonic() - began > 0.09
    assert abs(frames[0].to_ndarray(format="rgb24").astype(int) - 128).max() <= 2


async def test_after_a_stall_frames_keep_their_distance() -> None:
    track: Any = track_of(Frames([GREY] * 4, fps=30))
    await track.recv()
    track._began -= 60.0  # the machine stood still
    await track.recv()
    assert track._began + 2 / 30 > time.monotonic() - 5.0  # the third is due about now, not a minute ago


@pytest.mark.parametrize(
    "bad",
    [GREY.astype(np.float32), GREY[..., 0], GREY[:31], GREY[:, :, :2], [[1, 2, 3]], np.zeros((0, 4, 3), np.uint8)],
)
async def test_a_wrong_array_is_named_with_its_shape(bad: Any) -> None:
    with pytest.raises(BadSource):
        await track_of(Frames([bad])).recv()


async def test_frames_are_known_again_by_their_timestamp() -> None:
    counted = Counted(track_of([GREY] * 3))
    for _ in range(3):
        await counted.recv()
    assert [counted.known(3000 * n)[0] for n in range(3)] == [0, 1, 2]
    assert counted.known(1)[0] == -1
    assert isinstance(track_of(VideoStreamTrack()), VideoStreamTrack)

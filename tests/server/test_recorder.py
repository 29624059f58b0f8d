"""One file: its sound, its sides, what it leaves alone."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from reverie.server.recorder import BLOCK, Recorder, Samples


def frame(level: int, pts: int = 0, size: tuple[int, int] = (64, 48)) -> av.VideoFrame:
    made = av.VideoFrame.from_ndarray(np.full((size[1], size[0], 3), level, np.uint8), "rgb24").reformat(
        format="yuv420p"
    )
    made.pts, made.time_base = pts, Fraction(1, 1000)
    return made


def samples(count: int, level: int) -> np.ndarray:
    return np.full((count, 2), level, np.int16)


def test_sound_keeps_its_place_over_gaps_overlaps_and_small_jitter() -> None:
    line, out = Samples(), []
    for at, count, level in ((-480, 960, 1), (485, 960, 2), (5000, 960, 3), (4000, 960, 9), (5960, 9600, 4)):
        out += line.put(at, samples(count, level))
    assert [at for at, _ in out] == list(range(0, BLOCK * len(out), BLOCK))
    sound = np.concatenate([block for _, block in out])[:, 0]
    assert sound[0] == sound[479] == 1 and sound[480] == 2
    assert sound[2000] == 0 and sound[4999] == 0 and sound[5000] == 3
    assert not (sound == 9).any()
    assert sound[5960] == 4


def test_before_and_after_stand_side_by_side_and_the_frames_are_left_as_they_were(tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    recorder, shown, camera = Recorder(path, False, True), frame(200, 7), frame(40, 7)
    for n in range(5):
        recorder.put(shown, 10 + n / 30, [], camera if n else None)
    recorder.finish()
    assert (shown.pts, shown.time_base, camera.pts) == (7, Fraction(1, 1000), 7)
    with av.open(str(path)) as container:
        frames = [each.to_ndarray(format="gray") for each in container.decode(video=0)]
        assert not container.streams.audio
    assert len(frames) == 5 and frames[0].shape == (48, 128)
    assert frames[0][:, :60].mean() == pytest.approx(200, abs=4), "no camera frame is known: the same on both sides"
    assert frames[4][:, :60].mean() == pytest.approx(40, abs=4)
    assert frames[4][:, 68:].mean() == pytest.approx(200, abs=4)


def test_another_size_in_the_middle_is_brought_to_the_first(tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    recorder = Recorder(path, False, False)
    for n, size in enumerate(((64, 48), (96, 64), (33, 31))):
        recorder.put(frame(99, size=size), n / 30, [], None)
    recorder.finish()
    with av.open(str(path)) as container:
        assert [(each.width, each.height) for each in container.decode(video=0)] == [(64, 48)] * 3


def test_times_that_do_not_grow_are_moved_on(tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    recorder = Recorder(path, False, False)
    for at in (5.0, 5.0, 4.9, 5.1):
        recorder.put(frame(9), at, [], None)
    recorder.finish()
    assert recorder.seconds == pytest.approx(0.1)
    with av.open(str(path)) as container:
        times = [each.pts for each in container.decode(video=0)]
    assert times == sorted(set(times))


def test_a_recording_without_a_picture_is_an_empty_file(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "film.mp4", True, False)
    recorder.finish()
    assert recorder.bytes == 0

"""Clips from pictures and videos."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from reverie.models.train import clips


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    path = tmp_path / "picture.png"
    cv2.imwrite(str(path), cv2.resize(rng.integers(0, 256, (20, 30, 3), np.uint8), (600, 400)))
    return path


def test_clips_of_a_picture_move_and_some_are_cut(picture: Path) -> None:
    shots = clips.of_photo(picture, 40, np.random.default_rng(0))
    assert all(shot.frames.shape == (6, 224, 384, 3) and shot.frames.dtype == np.uint8 for shot in shots)
    assert 0.5 < np.mean([np.abs(np.diff(shot.frames.astype(int), axis=0)).mean() for shot in shots]) < 60
    assert 1 <= sum(len(shot.cuts) for shot in shots) <= 15
    for shot in shots:
        for at in shot.cuts:
            change = np.abs(np.diff(shot.frames.astype(int), axis=0)).mean((1, 2, 3))
            assert change.argmax() == at - 1


def test_light_changes_in_some_clips(monkeypatch: pytest.MonkeyPatch) -> None:
    frames = np.full((6, 8, 8, 3), 100, np.uint8)
    lit = clips._relit(frames, np.random.default_rng(1)).mean((1, 2, 3))
    assert np.ptp(lit) > 3 and (np.diff(np.sign(np.diff(lit))) == 0).all()


def test_videos_are_read_and_their_end_is_held_out(make_clip: Any) -> None:
    path = make_clip("v.mp4", count=60)
    frames = clips.frames_of(path)
    assert len(frames) == 60 and frames[0].shape == (64, 96, 3)
    shown, held = (clips.of_video(path, 3, flag, np.random.default_rng(0)) for flag in (False, True))
    assert all(shot.frames.shape == (6, 224, 384, 3) for shot in (*shown, *held))


def test_a_file_that_is_no_picture_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_text("no picture")
    with pytest.raises(ValueError, match=r"a\.png is not a picture"):
        clips.of_photo(tmp_path / "a.png", 1, np.random.default_rng(0))


def test_a_framed_picture_is_its_middle(picture: Path) -> None:
    assert clips.framed(picture).shape == (224, 384, 3)

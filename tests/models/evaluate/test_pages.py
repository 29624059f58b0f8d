"""Sheets and videos that a viewer opens."""

from pathlib import Path

import av
import cv2
import numpy as np

from reverie.models.evaluate import pages

PICTURES = [np.full((96, 128, 3), 40 * n, np.uint8) for n in range(4)]


def test_a_sheet_shows_every_picture_with_its_name(tmp_path: Path) -> None:
    pages.sheet({f"number {n}": picture for n, picture in enumerate(PICTURES)}, tmp_path / "a" / "sheet.png", 3)
    shown = cv2.imread(str(tmp_path / "a" / "sheet.png"))
    assert shown.shape == (2 * 198, 3 * 320, 3)
    assert [int(shown[100 + 198 * (n // 3), 150 + 320 * (n % 3), 0]) for n in range(4)] == [0, 40, 80, 120]


def test_a_video_has_before_on_the_left_and_after_on_the_right(tmp_path: Path) -> None:
    pages.video(PICTURES[:1] * 3, PICTURES[3:] * 3, tmp_path / "a.mp4")
    with av.open(str(tmp_path / "a.mp4")) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert len(frames) == 3 and frames[0].shape == (96, 256, 3)
    assert abs(int(frames[1][:, :120].mean())) < 6 and abs(frames[1][:, 136:].mean() - 120) < 6


def test_a_table_shows_what_misses_its_limit() -> None:
    rows = {"oil": {"recognised": 0.95, "landmark_error": 0.06, "cut_recovered_frames": 0}, "neon": {"recognised": 0.5}}
    head, _, limits, oil, neon = pages.table(rows).splitlines()
    assert head.count("|") == limits.count("|") == oil.count("|")
    assert "| 0.95 |" in oil and "**0.06**" in oil and "| 0 |" in oil
    assert "**0.5**" in neon

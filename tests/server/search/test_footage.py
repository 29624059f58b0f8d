from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from reverie.server.search import footage
from reverie.server.search.archive import Archive, Query
from reverie.server.search.journal import Journal


@pytest.fixture
def clips(make_clip, tmp_path: Path) -> Path:  # type: ignore[no-untyped-def]
    """A folder with a moving clip of 3 s, a picture, a file that is no video, and one that is damaged."""
    make_clip("a.mp4", 75)
    cv2.imwrite(str(tmp_path / "b.png"), np.full((40, 60, 3), (0, 0, 255), np.uint8))
    (tmp_path / "c.txt").write_text("words")
    (tmp_path / "d.mp4").write_bytes((tmp_path / "a.mp4").read_bytes()[:900])
    return tmp_path


def test_a_folder_becomes_moments_once(clips: Path, folder: Path, colours) -> None:  # type: ignore[no-untyped-def]
    archive = Archive(folder, colours)
    first = footage.index(archive, "local", footage.files(clips))
    assert (first["read"], first["damaged"]) == (2, 1) and first["moments"] >= 2
    hit = archive.find("local", Query("red", mode="vector"))[0].moment
    assert hit.media == f"file:{(clips / 'b.png').resolve()}"
    again = footage.index(archive, "local", footage.files(clips))
    assert again == {"read": 0, "known": 3, "damaged": 0, "moments": 0}


def test_indexing_goes_on_where_it_was_stopped(clips: Path, folder: Path, colours, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    archive, path = Archive(folder, colours), clips / "a.mp4"
    real = Journal.note_footage

    def stop(self: Journal, *given: object) -> None:
        real(self, *given)  # type: ignore[arg-type]
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Journal, "note_footage", stop)
        with pytest.raises(KeyboardInterrupt):
            footage.index(archive, "local", [path])
    _, done = archive.journal("local").footage(str(path.resolve()))
    assert 900 <= done <= 1200
    begun: list[float] = []
    footage.index(archive, "local", [path], told=lambda path, at, whole: begun.append(at))
    assert begun[0] == pytest.approx(done / 1000, abs=0.1) and begun[-1] > 2.5


def test_a_changed_file_is_read_anew(clips: Path, folder: Path, colours) -> None:  # type: ignore[no-untyped-def]
    archive, path = Archive(folder, colours), clips / "b.png"
    footage.index(archive, "local", [path])
    cv2.imwrite(str(path), np.full((44, 60, 3), (255, 0, 0), np.uint8))
    assert footage.index(archive, "local", [path])["read"] == 1
    (hit,) = archive.find("local", Query("blue"))
    assert hit.cosine is not None and hit.cosine > 0.7


def test_a_clip_and_a_picture_can_be_asked_with(clips: Path, colours) -> None:  # type: ignore[no-untyped-def]
    assert footage.asked_with(colours, clips / "b.png") @ colours.words(["red"])[0] > 0.7
    assert footage.asked_with(colours, clips / "a.mp4").shape == (colours.width,)


def test_a_folder_without_videos_says_what_it_looked_for(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"no videos \(.mp4"):
        footage.files(tmp_path)
    with pytest.raises(FileNotFoundError, match="does not exist"):
        footage.files(tmp_path / "none")

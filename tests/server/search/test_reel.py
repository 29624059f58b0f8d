from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from reverie.server.provenance import read_mark
from reverie.server.search.journal import Journal
from reverie.server.search.moments import Entry, Moment
from reverie.server.search.reel import reel
from reverie.server.search.thumbnails import webp


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "t" / "moments.sqlite")


def test_moments_of_footage_recordings_and_thumbnails_become_one_video(
    journal: Journal, make_clip, tmp_path: Path
) -> None:  # type: ignore[no-untyped-def]
    clip = make_clip("a.mp4", 75)
    (tmp_path / "rec").mkdir()
    clip.rename(tmp_path / "rec" / "r1.mp4")
    other = make_clip("b.mkv", 50, size=(64, 96))
    moments = [
        Moment("1", "s", 10, 12, media="recording:r1", media_s=0.5), Moment("2", "s", 20, 20.5, media=f"file:{other}"),
        Moment("3", "s", 30, 31, media="recording:gone"),
    ]  # fmt: skip
    journal.put(Entry(moments[2], {}), "space", {("output", 0): webp(np.full((36, 64, 3), 200, np.uint8))})
    report = reel(journal, moments, tmp_path / "rec", tmp_path / "out.mp4")
    assert report == {"moments": 3, "seconds": 4.0, "width": 96, "height": 64}
    with av.open(str(tmp_path / "out.mp4")) as made:
        assert sum(1 for _ in made.decode(video=0)) == 120
    assert read_mark(tmp_path / "out.mp4") and not list(tmp_path.glob(".*partial"))


@pytest.mark.parametrize(("name", "words"), [("out.mp4", "none of the moments"), ("out.avi", "does not end in .mp4")])
def test_what_cannot_be_made_is_said_and_leaves_nothing(
    journal: Journal, tmp_path: Path, name: str, words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        reel(journal, [Moment("1", "s", 0, 1, media="file:/no/such.mp4")], tmp_path, tmp_path / name)
    assert not (tmp_path / name).exists()


def test_a_moment_cannot_lead_out_of_its_tenants_recordings(journal: Journal, tmp_path: Path) -> None:
    from reverie.server.search.reel import media_file

    (tmp_path / "secret.mp4").write_bytes(b"x")
    assert media_file(Moment("1", "s", 0, 1, media="recording:../secret"), tmp_path / "rec") is None

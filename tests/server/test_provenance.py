"""The mark in files that are not ours."""

import struct
from pathlib import Path
from typing import Any

import pytest

from reverie.server.provenance import SOURCE_TYPE, XMP_BOX, mark, read_mark


def test_an_unmarked_file_has_no_mark_until_it_gets_one(make_clip: Any) -> None:
    clip = make_clip("a.mp4")
    assert read_mark(clip) is None
    mark(clip, ".mp4")
    assert read_mark(clip) == SOURCE_TYPE


def test_another_xmp_packet_is_no_mark(make_clip: Any) -> None:
    clip = make_clip("a.mp4")
    with clip.open("ab") as file:
        file.write(struct.pack(">I4s", 28, b"uuid") + XMP_BOX + b"none")
    assert read_mark(clip) is None


@pytest.mark.parametrize("tail", [b"\0\0\0\1", b"\0\0\0\1uuid", b"\0\0\0\0free", b"\0\0\0\3bad!"])
def test_odd_boxes_at_the_end_do_no_harm(make_clip: Any, tail: bytes) -> None:
    clip = make_clip("a.mp4")
    clip.write_bytes(clip.read_bytes() + tail)
    assert read_mark(clip) is None


def test_a_file_that_is_no_video_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_text("no video")
    with pytest.raises(ValueError, match=r"a\.mp4 cannot be read"):
        read_mark(tmp_path / "a.mp4")

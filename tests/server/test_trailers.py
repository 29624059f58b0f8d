"""Trailers of LiveKit's clients: taken off before decoding, put behind what was made of the picture."""

import queue
from dataclasses import replace
from types import SimpleNamespace

import pytest

from reverie.server.encoders import Encoded
from reverie.server.trailers import KEPT, LONGEST, Trailers, split

TIME = bytes(each ^ 0xFF for each in (1, 8, *(1_700_000_000_123_456).to_bytes(8, "big"), 15)) + b"LKTS"
PICTURE = Encoded([b"\x7c-first", b"\x5c-last"], 9000, False, b"", 64, 48)


def test_a_trailer_is_taken_off_and_only_a_whole_one() -> None:
    assert split(b"picture" + TIME) == (b"picture", TIME)
    for data in (b"", b"LKTS", b"picture", b"picture" + TIME[:-1], b"\x00" * 3 + TIME[-5:], TIME[5:]):
        assert split(data) == (data, b"")
    endless = bytes(200) + bytes([(LONGEST + 1) ^ 0xFF]) + b"LKTS"
    assert split(endless) == (endless, b"")


def test_it_comes_back_behind_the_picture_of_the_same_time() -> None:
    known, tasks = Trailers(), queue.Queue()  # type: ignore[var-annotated]
    known.listen(SimpleNamespace(_RTCRtpReceiver__decoder_queue=tasks))
    tasks.put(("VP8", SimpleNamespace(data=b"picture" + TIME, timestamp=9000 + 2**32)))
    tasks.put(("VP8", SimpleNamespace(data=b"another", timestamp=12000)))
    tasks.put(None)
    assert [task and task[1].data for task in (tasks.get(), tasks.get(), tasks.get())] == [b"picture", b"another", None]
    assert known.behind(PICTURE, "VP8").payloads == [PICTURE.payloads[0], PICTURE.payloads[1] + TIME]
    assert known.behind(replace(PICTURE, timestamp=12000), "VP8").payloads == PICTURE.payloads


@pytest.mark.parametrize(
    ("last", "carried"), [(b"\x41-slice", True), (b"\x5c-fragment", True), (b"\x18-several", False)]
)
def test_h264_packets_of_several_units_are_left_as_they_are(last: bytes, carried: bool) -> None:
    known = Trailers()
    known.keep(9000, TIME)
    assert (known.behind(replace(PICTURE, payloads=[last]), "H264").payloads != [last]) is carried


def test_old_ones_are_forgotten() -> None:
    known = Trailers()
    for number in range(KEPT + 1):
        known.keep(9000 + number, TIME)
    assert known.behind(PICTURE, "VP8") is PICTURE

"""`connect`: what it costs to have, and what it refuses before anything is opened."""

import subprocess
import sys

import pytest

from reverie.client import BadSource, ConnectionLost, Frames, connect


def test_a_program_that_only_imports_loads_no_media() -> None:
    code = (
        "import sys; from reverie.client import Camera, File, Frame, Frames, ReverieError, Stats, connect; "
        "bad = {'av', 'aiortc', 'numpy', 'websockets', 'cryptography'} & set(sys.modules); assert not bad, bad"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


async def test_a_source_that_is_none_is_refused_before_anything_is_opened() -> None:
    with pytest.raises(BadSource, match="not int"):
        async with connect("http://127.0.0.1:9", 7):
            raise AssertionError("opened")


async def test_a_server_that_is_not_there_is_one_sentence() -> None:
    with pytest.raises(ConnectionLost, match=r"127\.0\.0\.1:9"):
        async with connect("http://127.0.0.1:9", Frames([]), "red", timeout_s=30):
            raise AssertionError("opened")

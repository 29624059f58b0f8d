"""Constants on disk: built once, and again whenever the file is not what it was."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from reverie.models.cache import built, digest

CONTENT = np.random.default_rng(0).integers(0, 256, 5000).astype(np.uint8)


class Build:
    """Counts how often it is asked."""

    times = 0

    def __call__(self) -> np.ndarray:
        self.times += 1
        return CONTENT


def test_what_was_built_is_read_the_next_time(tmp_path: Path) -> None:
    build = Build()
    for _ in range(3):
        np.testing.assert_array_equal(built("key", build, tmp_path / "new"), CONTENT)
    assert build.times == 1
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["key.bin"]
    built("other", build, tmp_path / "new")
    assert build.times == 2


@pytest.mark.parametrize("cut", [0, 1, 40, 4000, 5000, 9000, -1])
def test_a_file_that_was_cut_is_built_again(tmp_path: Path, cut: int) -> None:
    build = Build()
    built("key", build, tmp_path)
    path = tmp_path / "key.bin"
    path.write_bytes(path.read_bytes()[:cut])
    np.testing.assert_array_equal(built("key", build, tmp_path), CONTENT)
    assert build.times == 2
    built("key", build, tmp_path)
    assert build.times == 2


@pytest.mark.parametrize("place", [0, 2500, 4999, -1])
def test_a_damaged_byte_is_seen(tmp_path: Path, place: int) -> None:
    build = Build()
    built("key", build, tmp_path)
    whole = bytearray((tmp_path / "key.bin").read_bytes())
    whole[place] ^= 1
    (tmp_path / "key.bin").write_bytes(whole)
    np.testing.assert_array_equal(built("key", build, tmp_path), CONTENT)
    assert build.times == 2


def test_without_room_it_works_without_the_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    np.testing.assert_array_equal(built("key", Build(), tmp_path / "file"), CONTENT)


def test_processes_that_build_at_once_leave_one_whole_file(tmp_path: Path) -> None:
    text = (
        "import sys, numpy as np; from pathlib import Path; from reverie.models.cache import built\n"
        "content = np.arange(1 << 20, dtype=np.uint8)\n"
        "assert (built('key', lambda: content, Path(sys.argv[1])) == content).all()"
    )
    running = [subprocess.Popen([sys.executable, "-c", text, str(tmp_path)]) for _ in range(3)]
    assert [each.wait() for each in running] == [0, 0, 0]
    assert [path.name for path in tmp_path.iterdir()] == ["key.bin"]


def test_a_digest_is_of_the_content_and_the_version(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("weights")
    (tmp_path / "b").write_text("weights")
    (tmp_path / "c").write_text("others")
    a, b, c = (digest(tmp_path / name, "v1") for name in "abc")
    assert a == b != c and digest(tmp_path / "a", "v2") != a

"""The command line as a user meets it."""

import subprocess
import sys

import pytest

from reverie.server.cli import main


@pytest.mark.parametrize("words", [["bench"], ["bench", "none"], ["bench", "--json"]])
def test_an_unknown_benchmark_names_those_that_exist(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 2
    assert "engine" in capsys.readouterr().err


def test_help_needs_nothing_heavy() -> None:
    heavy = "import sys; from reverie.server.cli import main\ntry: main(['--help'])\nexcept SystemExit: pass\n"
    done = subprocess.run(
        [sys.executable, "-c", heavy + "print([m for m in ('torch', 'cv2', 'av', 'numpy', 'aiortc') if m in sys.modules])"],
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.stdout.splitlines()[-1] == "[]"

"""What runs in an effect's process."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from reverie.server import effect_worker
from reverie.server.effect_worker import Context, apply, fault, load


def test_a_file_or_an_entry_point_gives_the_function(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "bar.py"
    file.write_text("wants_camera = True\ndef effect(frame, ctx):\n    frame[:] = 3\n")
    function, wants_camera = load(str(file))
    picture = np.zeros((2, 2, 3), np.uint8)
    apply(function, picture, Context())
    assert wants_camera and picture.min() == 3
    entry = type("Entry", (), {"load": lambda self: fault})
    monkeypatch.setattr(effect_worker, "entry_points", lambda group, name: [entry()] if name == "bar" else [])
    assert load("bar") == (fault, False)


def test_a_picture_of_another_size_or_type_is_refused() -> None:
    picture = np.zeros((2, 2, 3), np.uint8)
    for wrong in (np.zeros((2, 2, 4), np.uint8), np.zeros((2, 2, 3)), 5):
        with pytest.raises(ValueError, match=r"must give back \(2, 2, 3\) uint8"):
            apply(lambda frame, ctx, wrong=wrong: wrong, picture, Context())  # type: ignore[misc]
    apply(lambda frame, ctx: frame + 1, picture, Context())
    assert picture.min() == 1


def test_a_fault_is_one_line_with_the_line_of_the_file() -> None:
    def wrong(frame: Any, ctx: Any) -> None:
        raise KeyError("look")

    try:
        apply(wrong, np.zeros((1, 1, 3), np.uint8), Context())
    except KeyError as error:
        assert fault(error) == f"KeyError in line {wrong.__code__.co_firstlineno + 1}: 'look'"

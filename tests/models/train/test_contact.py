"""Contact sheets of the teachers."""

from pathlib import Path

import cv2
import numpy as np

from reverie.models.nano import noise
from reverie.models.train.contact import COLUMNS, LABEL, figures, sheet
from reverie.models.train.looks import LOOKS, paint
from reverie.models.train.looks.scene import frames


def test_a_sheet_shows_the_source_and_every_look_of_every_picture(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    wide, tall = (cv2.resize(rng.integers(0, 256, (6, 6, 3), np.uint8), size) for size in ((96, 64), (64, 96)))
    sheet([wide, tall], tmp_path / "new" / "sheet.png")
    shown = cv2.cvtColor(cv2.imread(str(tmp_path / "new" / "sheet.png")), cv2.COLOR_BGR2RGB)
    rows = -(-len(LOOKS) // COLUMNS)
    assert shown.shape == (rows * (64 + LABEL + 96 + LABEL), COLUMNS * 96, 3)
    assert np.array_equal(shown[LABEL : LABEL + 64, :96], wide)
    scene = frames(wide[None], noise(0, 64, 96).numpy()[0])
    for n, look in enumerate([name for name in LOOKS if name != "original"], 1):
        y, x = (n // COLUMNS) * (64 + LABEL) + LABEL, n % COLUMNS * 96
        assert np.array_equal(shown[y : y + 64, x : x + 96], paint(look, scene)[0])


def test_figures_of_every_look_tell_a_resting_clip_from_one_that_jumps() -> None:
    rng = np.random.default_rng(0)
    still, other = (cv2.resize(rng.integers(0, 256, (6, 6, 3), np.uint8), (96, 64)) for _ in range(2))
    found = figures([np.stack([still, still]), np.stack([still, other])])
    assert set(found) == set(LOOKS) - {"original"}
    assert all(row["ms"] > 0 and row["warp_error"][0] == 0 < row["warp_error"][1] for row in found.values())  # type: ignore[index, operator]

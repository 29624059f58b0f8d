from pathlib import Path

import cv2
import numpy as np

from reverie.models.train import sources
from reverie.models.train.search import MANIFEST, caption_of, on_white, ridge, words_for


def test_only_free_pictures_are_fitted() -> None:
    for package in sources.manifest(MANIFEST):
        assert all(each.licence in sources.FREE for each in package.files if each.use == "train")


def test_a_drawings_name_and_folder_say_what_it_shows() -> None:
    assert caption_of(Path("png/food/fruit/red_apple_john_doe_01.png")) == "red apple, fruit"
    assert caption_of(Path("png/animals/mammals/sheep_02.png")) == "sheep, mammal"


def test_files_of_the_manifest_have_words_where_they_are_known() -> None:
    assert words_for("endless-sky-high-dpi/beach3@2x.jpg") == "a beach by the sea"
    assert words_for("sports2d/demo.mp4") == "a woman walks outdoors" and words_for("x/unknown.png") == ""


def test_ridge_finds_the_map_that_made_the_data() -> None:
    rng = np.random.default_rng(0)
    x, true = rng.standard_normal((200, 5)).astype(np.float32), rng.standard_normal((5, 3)).astype(np.float32)
    np.testing.assert_allclose(ridge(x, x @ true, 1e-6), true, atol=1e-3)
    assert np.abs(ridge(x, x @ true, 1e6)).max() < 0.01


def test_a_cut_out_lies_on_white(tmp_path: Path) -> None:
    picture = np.zeros((40, 80, 4), np.uint8)
    picture[10:30, 20:60] = (0, 0, 255, 255)
    cv2.imwrite(str(tmp_path / "a.png"), picture)
    made = on_white(tmp_path / "a.png")
    assert made is not None and made.shape == (288, 288, 3)
    assert made[5, 5].tolist() == [255, 255, 255] and made[144, 144].tolist() == [255, 0, 0]

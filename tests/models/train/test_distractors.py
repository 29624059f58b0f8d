"""Words beside the point: none of them names a look or a wish."""

from pathlib import Path

import pytest

from reverie.models.train import distractors


@pytest.fixture
def phrases(tmp_path: Path) -> Path:
    path = tmp_path / "flavors.txt"
    path.write_text(
        "highly detailed\nTrending on Artstation\noil on canvas\nthick outline\nneon-lit street\nby Rembrandt\n"
        "one two three four\ncafé\n\n8k\n", encoding="utf-8"
    )  # fmt: skip
    return path


def test_what_names_a_look_or_a_wish_or_is_long_is_left_out(phrases: Path) -> None:
    assert distractors.load(phrases) == ["trending on artstation", "8k"]  # "details" is a wish


def test_a_share_of_the_phrases_is_said_again_with_a_distractor() -> None:
    asked = [[f"pencil {n}" for n in range(400)], ["neon"]]
    first, second = distractors.added(asked, ["8k", "trending"]), distractors.added(asked, ["8k", "trending"])
    assert first == second
    assert first[0][:400] == asked[0] and 70 < len(first[0]) - 400 < 130
    assert all(phrase.endswith((", 8k", ", trending")) for phrase in first[0][400:])

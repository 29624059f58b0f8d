"""Prompts that an operator does not allow."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reverie.server.moderation import Denied

denied = Denied(["gore", "naked person", "Müll"])


@pytest.mark.parametrize(
    "prompt",
    [
        "gore",
        "much GORE!",
        "g0re",
        "g o r e",
        "g.o.r.e",
        "a naked  person",
        "naked-person",
        "müll",
        "MULL",
        "gores",
        "g_o_r_e",
    ],
)
def test_disguises_are_seen_through(prompt: str) -> None:
    assert denied(prompt)


@pytest.mark.parametrize(
    "prompt", ["", "gorgeous", "Georgetown", "category", "a person, naked eye", "pencil sketch", "mullet"]
)
def test_other_words_are_let_through(prompt: str) -> None:
    assert not denied(prompt)


@given(st.text(max_size=200))
def test_an_empty_list_denies_nothing(prompt: str) -> None:
    assert not Denied()(prompt)


def test_a_file_holds_a_phrase_a_line(tmp_path: Path) -> None:
    path = tmp_path / "deny.txt"
    path.write_text("# ours\nblood  # and more\n\n")
    assert Denied.from_file(str(path))("Blood moon") and not Denied.from_file(str(path))("ours")
    with pytest.raises(ValueError, match=r"nowhere\.txt"):
        Denied.from_file(str(tmp_path / "nowhere.txt"))
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match=r"deny\.txt"):
        Denied.from_file(str(path))

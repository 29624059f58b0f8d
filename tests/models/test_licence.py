"""What licences allow, as far as their names say."""

from pathlib import Path

import pytest

from reverie.models import licence


@pytest.mark.parametrize(
    ("name", "forbidden"),
    [
        ("sai-nc-community", True),
        ("cc-by-nc-sa-4.0", True),
        ("flux-1-dev-non-commercial-license", True),
        ("stabilityai-nc-research-community", True),
        ("apache-2.0", False),
        ("openrail++", False),
        ("mit", False),
        ("creativeml-openrail-m", False),
        ("tencent-community", False),
    ],
)
def test_a_name_says_whether_money_may_be_made(name: str, forbidden: bool) -> None:
    assert licence.forbids(name) == forbidden


def test_the_readme_of_a_folder_counts_before_the_catalogue(tmp_path: Path) -> None:
    folder = tmp_path / "sd-turbo"
    folder.mkdir()
    assert licence.of(folder) == "sai-nc-community"
    (folder / "README.md").write_text("---\ntags: [x]\nlicense: other\nlicense_name: 'my-nc'\n---\nlicense: mit\n")
    assert licence.of(folder) == "my-nc"
    assert "my-nc: it may not be used commercially" in licence.notice(str(folder))
    for listed in ("license:\n- cc-by-nc-4.0\n- mit", "license: [cc-by-nc-4.0]", "license:\n  - 'cc-by-nc-4.0'"):
        (folder / "README.md").write_text(f"\ufeff---\n{listed}\nlicense_link: LICENSE\n---\n")
        assert licence.of(folder) == "cc-by-nc-4.0", listed
    (folder / "README.md").write_text("---\nlicense: apache-2.0\n---\n")
    assert licence.notice(str(folder)) == ""


def test_an_unknown_licence_is_said_and_ours_is_not(tmp_path: Path) -> None:
    assert "does not say its licence" in licence.notice(str(tmp_path))
    assert licence.notice("nano") == ""

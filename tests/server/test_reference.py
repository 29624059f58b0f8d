"""The documentation: its reference pages hold all there is, and its other pages name only what there is."""

import ast
import re
import textwrap
from dataclasses import fields
from pathlib import Path
from typing import get_args

import pytest

from reverie.client import protocol
from reverie.server import reference
from reverie.server.settings import Settings

DOCS = Path(__file__).parents[2] / "client" / "docs"
PAGES = sorted(DOCS.glob("*.md"))


def test_every_setting_is_there_with_words() -> None:
    rows = re.findall(r"^\| `REVERIE_(\w+)` \| `([^`]*)` \| (.+) \|$", reference.settings(), re.M)
    assert [name.lower() for name, _, _ in rows] == [field.name for field in fields(Settings)]
    assert all(len(words) > 5 for _, _, words in rows)
    assert ("PORT", "8080", "0 takes any free port") in rows


def test_every_message_is_there_with_its_fields() -> None:
    page = reference.messages()
    for kind in (*get_args(protocol.FromClient), *get_args(protocol.FromServer)):
        part = page.split(f"### {kind.type}\n", 1)[1].split("###")[0]
        assert all(f"`{field.name}`" in part for field in fields(kind)), kind.type


def test_every_route_is_there(tmp_path: Path) -> None:
    page = reference.http()
    for route in ("GET /v1/recordings/{id}", "POST /v1/client/tokens", "`/v1/stream`", "`/whip`", "`/metrics`"):
        assert route in page, route
    reference.write(tmp_path / "made")
    assert {path.name for path in (tmp_path / "made").iterdir()} == {"http.md", "messages.md", "settings.md"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_pages_name_what_there_is(page: Path) -> None:
    text = page.read_text()
    known = {f"REVERIE_{field.name.upper()}" for field in fields(Settings)}
    assert set(re.findall(r"REVERIE_[A-Z_]+", text)) <= known
    for block in re.findall(r"```python\n(.*?)```", text, re.S):
        ast.parse(textwrap.dedent(block))


def test_the_effect_of_the_page_works() -> None:
    import numpy as np

    block = re.search(r"```python\n(# vignette.*?)```", (DOCS / "extend.md").read_text(), re.S)
    assert block
    names: dict[str, object] = {}
    exec(block[1], names)
    made = names["effect"](np.full((60, 80, 3), 200, np.uint8), None)  # type: ignore[operator]
    assert made.dtype == np.uint8 and made[30, 40].min() == 200 and made[0, 0].max() < 80

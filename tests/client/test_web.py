"""What must hold for every page we serve, read from the files themselves."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from importlib.resources import files

import pytest

WEB = files("reverie.client") / "web"
PAGES = sorted(entry.name for entry in WEB.iterdir() if entry.name.endswith(".html"))
NAMES = ("http://www.w3.org/", "http://cv.iptc.org/", "http://iptc.org/std/")  # of vocabularies: nobody asks them
LABELLED = {"input", "select", "textarea"}


class Page(HTMLParser):
    """Elements of a page and its text inside script and style."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.inline = ""
        self.nested: set[str | None] = set()  # ids inside a label
        self._inside: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if "label" in self._inside:
            self.nested.add(dict(attrs).get("id"))
        if tag in ("script", "style", "label"):
            self._inside.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if self._inside and self._inside[-1] == tag:
            self._inside.pop()

    def handle_data(self, data: str) -> None:
        if self._inside and self._inside[-1] in ("script", "style"):
            self.inline += data.strip()


@pytest.fixture(params=PAGES)
def page(request: pytest.FixtureRequest) -> Page:
    return Page((WEB / request.param).read_text())


def test_there_is_a_camera_page() -> None:
    assert "index.html" in PAGES


def test_a_page_has_no_inline_script_or_style(page: Page) -> None:
    assert page.inline == ""
    for tag, attributes in page.elements:
        assert not [name for name in attributes if name == "style" or name.startswith("on")], tag


def test_every_control_has_a_label(page: Page) -> None:
    named = {attributes["for"] for tag, attributes in page.elements if tag == "label" and "for" in attributes}
    for tag, attributes in page.elements:
        if tag in LABELLED:
            assert attributes.get("id") in named | page.nested, attributes


@pytest.mark.parametrize("name", sorted(entry.name for entry in WEB.iterdir() if entry.is_file()))
def test_no_file_names_another_host(name: str) -> None:
    addresses = re.findall(r"(?:https?:|wss?:|stun:|turns?:)//[^\s\"'`)]+|stun:[^\s\"'`)]+", (WEB / name).read_text())
    assert [a for a in addresses if not a.startswith(NAMES)] == []

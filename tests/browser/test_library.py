"""The library page in Chromium: moments are listed, previewed, replayed, and deleted."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, expect
from rig.browser import until
from rig.node import Node, serve

from reverie.models.search import space
from reverie.server.search.archive import Archive
from reverie.server.search.moments import Entry, Moment, new_id
from reverie.server.search.thumbnails import webp

COLOURS = ((200, 60, 60), (60, 200, 60), (60, 60, 200))


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """A server whose data folder holds three moments, with a strip of two thumbnails a side."""
    folder = tmp_path_factory.mktemp("data")
    archive, began = Archive(folder / "moments", space.load()), time.time() - 60
    for n, colour in enumerate(COLOURS):
        moment = Moment(new_id(began + n), "s", began + n, began + n + 5, "comic", f"moment {n}")
        side = lambda shade, colour=colour: np.full((36, 64, 3), np.array(colour) // shade, np.uint8)
        thumbnails = {(s, k): webp(side(shade)) for s, shade in (("source", 2), ("output", 1)) for k in range(2)}
        archive.put("local", Entry(moment, {"output": np.eye(384, dtype=np.float32)[n]}), thumbnails)
    archive.close()
    before = os.environ.get("REVERIE_DATA")
    os.environ["REVERIE_DATA"] = str(folder)
    try:
        with serve("toy") as node:
            yield node
    finally:
        os.environ.pop("REVERIE_DATA")
        if before is not None:
            os.environ["REVERIE_DATA"] = before


def test_moments_are_listed_opened_compared_and_deleted(node: Node, browser: Browser, tmp_path: Path) -> None:
    page = browser.new_context(viewport={"width": 1000, "height": 700}).new_page()
    page.set_default_timeout(90_000)
    expect.set_options(timeout=90_000)
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.goto(f"{node.url}/library")
    cards = page.locator("#moments button")
    expect(cards).to_have_count(3)
    expect(cards.first).to_contain_text("moment 2")
    mean = "i => {const c = new OffscreenCanvas(1, 1).getContext('2d'); c.drawImage(i, 0, 0, 1, 1); return [...c.getImageData(0, 0, 1, 1).data]}"
    until(page, "document.querySelector('#moments img').naturalWidth > 0", limit_s=90)
    assert abs(page.locator("#moments img").first.evaluate(mean)[2] - 200) < 12
    page.check("#show-before")
    until(page, "document.querySelector('#moments img').src.includes('/source/')", limit_s=90)
    page.screenshot(path=tmp_path / "library.png")
    cards.first.click()
    expect(page.locator("#stage img")).to_have_count(2)
    page.click("#forget")
    expect(page.locator("#note")).to_contain_text("2 moments")
    assert not faults
    page.context.close()

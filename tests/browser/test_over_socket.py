"""The camera page in Chromium where UDP is closed: pictures go over the WebSocket, with the same controls."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page, expect
from rig.browser import until
from rig.closed import serve_without_udp
from rig.node import Node


@pytest.fixture(scope="module")
def closed() -> Iterator[Node]:
    with serve_without_udp("toy") as node:
        yield node


def test_a_page_that_udp_does_not_reach_is_styled_all_the_same(closed: Node, open_page: Callable[..., Page]) -> None:
    page = open_page(closed)
    page.fill("#prompt", "red")
    page.click("#start")
    until(page, "watch.history.length >= 5", limit_s=90)
    page.evaluate("() => { const slider = document.querySelector('#compare'); slider.value = 20; slider.oninput(); }")
    until(page, "watch.seen().apart > 10", limit_s=60)
    expect(page.locator("#state")).to_have_attribute("data-state", "live")
    shown = page.evaluate("watch.presented")
    until(page, f"watch.presented > {shown} + 20", limit_s=60)
    until(page, "document.querySelector('#figures').textContent.includes('glass to glass')", limit_s=60)
    page.click("#passthrough")
    until(page, "watch.seen().apart < 7", limit_s=60)

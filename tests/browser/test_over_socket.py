"""The camera page in Chromium where UDP is closed: media go over the WebSocket, with the same controls."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from statistics import median

import pytest
from playwright.sync_api import Page, expect
from rig.av_browser import of_page
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


HEARD = """() => {
    const context = new AudioContext(), ear = context.createAnalyser();
    window.loudest = 0;
    const listen = () => {
        const [track] = document.querySelector("#styled").srcObject?.getAudioTracks() ?? [];
        if (track && track !== window.heard) context.createMediaStreamSource(new MediaStream([track])).connect(ear);
        window.heard = track;
        const samples = new Float32Array(ear.fftSize);
        ear.getFloatTimeDomainData(samples);
        window.loudest = Math.max(window.loudest, ...samples.map(Math.abs));
        setTimeout(listen, 20);
    };
    listen();
}"""


def test_a_microphone_is_heard_in_what_comes_back_and_may_be_taken_away(
    closed: Node, open_page: Callable[..., Page]
) -> None:
    """Chromium's microphone beeps."""
    page = open_page(closed)
    page.evaluate("() => { document.querySelector('#microphone').checked = true; }")
    page.click("#start")
    page.evaluate(HEARD)
    until(page, "window.loudest > 0.1", limit_s=90)
    page.evaluate("() => document.querySelector('#microphone').click()")
    until(page, "watch.presented > 5 && document.querySelector('#styled').srcObject.getTracks().length === 1")
    shown = page.evaluate("watch.presented")
    until(page, f"watch.presented > {shown} + 20", limit_s=60)
    page.evaluate("() => { window.loudest = 0; document.querySelector('#microphone').click(); }")
    until(page, "window.loudest > 0.1", limit_s=60)


def test_a_flash_and_its_beep_come_back_together(toy: Node, open_page: Callable[..., Page]) -> None:
    """40 ms apart at most, as by WebRTC; DESIGN.md has the figures of a quiet machine."""
    apart, _ = of_page(open_page(toy), "", 7, 3, True)
    assert len(apart) >= 3
    assert abs(median(apart)) <= 40, apart

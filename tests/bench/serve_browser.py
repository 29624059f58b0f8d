"""`bench serve` as a visitor sees it: the camera page in headless Chromium.

Glass to glass is read from pixels.  stamp.js numbers each camera frame with large black and white blocks; watch.js
reads the number in `requestVideoFrameCallback` of the styled video.  The latency of a frame is from the moment the
page got it from the camera to the moment the callback of the frame that shows it runs (`to_display_ms`: to the
browser's `expectedDisplayTime`, up to one refresh later).  A camera's exposure and a screen's own delay are not in it.
Frames whose number cannot be told are counted in `stamps_unread`, not guessed.
"""

from __future__ import annotations

import time

from playwright.sync_api import Browser, Page
from rig.browser import watched_page
from rig.node import Node
from serve_figures import LOOK, LOOKS, N_PROMPTS, SETTLE_S, WARM_S, Samples, Window

PROMPT = """prompt => watch.timed(() => {
  document.querySelector('#prompt').value = prompt;
  document.querySelector('#controls').requestSubmit();
})"""
PASSTHROUGH = "() => watch.timed(() => document.querySelector('#passthrough').click())"


def measure(browser: Browser, node: Node, seconds: float, *, passthrough: bool) -> tuple[Samples, dict[str, float]]:
    """One visit; prompt changes come after the window in which latency and counts are taken.

    In passthrough `prompts` holds the times from the click on "No look" to the first camera frame.
    """
    page = watched_page(browser, stamped=True)
    try:
        page.goto(node.url)
        page.fill("#prompt", LOOK)
        if passthrough:
            page.click("#passthrough")
        samples = Samples(first_frame_ms=page.evaluate("plain => watch.begin(plain)", passthrough))
        time.sleep(WARM_S)
        counts = _window(page, node, seconds, samples)
        samples.prompts = _switches(page, LOOKS[node.model], passthrough)
        return samples, counts
    finally:
        page.context.close()


def _window(page: Page, node: Node, seconds: float, samples: Samples) -> dict[str, float]:
    window = Window(node)
    shown = page.evaluate("() => { watch.frames = []; watch.unread = 0; return watch.presented; }")
    page.wait_for_timeout(seconds * 1000)
    samples.shown = page.evaluate("watch.presented") - shown
    frames = page.evaluate("watch.frames")
    samples.unread = page.evaluate("watch.unread")
    counts = window.close()
    samples.latencies = [(when, age) for when, age, _ in frames]
    samples.to_display = [age for _, _, age in frames]
    return counts


def _switches(page: Page, looks: tuple[str, str], passthrough: bool) -> list[float | None]:
    times: list[float | None] = []
    for i in range(N_PROMPTS):
        if passthrough:
            page.evaluate(PROMPT, looks[i % 2])
        else:
            times.append(page.evaluate(PROMPT, looks[i % 2]))
        page.wait_for_timeout(SETTLE_S * 1000)
        if passthrough:
            times.append(page.evaluate(PASSTHROUGH))
            page.wait_for_timeout(SETTLE_S * 1000)
    return times

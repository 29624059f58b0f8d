"""Headless Chromium with the face clip as its camera."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright
from rig.clip import camera_clip

HERE = Path(__file__).parent
FLAGS = (
    "--no-sandbox",
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--host-resolver-rules=MAP rebound.test 127.0.0.1",  # a foreign name that answers with our address
)


def chromium() -> str:
    """The path of the installed Chromium.  Raises FileNotFoundError if there is none."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if path := shutil.which(name):
            return path
    raise FileNotFoundError("no Chromium found; install the Debian package chromium")


@contextmanager
def launch() -> Iterator[Browser]:
    """Raises clip.Unreachable, FileNotFoundError."""
    flags = [*FLAGS, f"--use-file-for-fake-video-capture={camera_clip()}"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), headless=True, args=flags)
        try:
            yield browser
        finally:
            browser.close()


def watched_page(browser: Browser, *, stamped: bool) -> Page:
    """An empty page whose next document is watched (watch.js) and, if asked, has stamps in its camera (stamp.js)."""
    page = browser.new_context(viewport={"width": 1280, "height": 800}).new_page()
    if stamped:
        page.add_init_script(path=HERE / "stamp.js")
    page.add_init_script(path=HERE / "watch.js")
    return page


def until(page: Page, condition: str, argument: object = None, *, limit_s: float = 20.0) -> None:
    """Wait until a JavaScript expression, or a function of `argument`, holds.

    Playwright's own `wait_for_function` needs eval, which the page's Content-Security-Policy forbids.
    Raises AssertionError that names the condition.
    """
    ends = time.monotonic() + limit_s
    while not page.evaluate(condition, argument):
        assert time.monotonic() < ends, f"not within {limit_s} s: {condition}"
        page.wait_for_timeout(50)

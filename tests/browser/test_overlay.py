"""The overlay page in Chromium: it shows a session over whatever lies below, and comes back by itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from io import BytesIO

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page
from rig.browser import until
from rig.node import Node, serve

BELOW = (0, 200, 0)  # of the page that the overlay lies on


@pytest.fixture
def overlay(browser: Browser) -> Iterator[Callable[[Node, str], Page]]:
    pages: list[Page] = []

    def opened(node: Node, query: str = "") -> Page:
        page = browser.new_context(viewport={"width": 640, "height": 360}).new_page()
        pages.append(page)
        page.goto(f"{node.url}/overlay?{query}")
        page.evaluate("document.documentElement.style.background = 'rgb(0, 200, 0)'")
        return page

    yield opened
    for page in pages:
        page.context.close()


def picture(page: Page) -> np.ndarray:
    return np.array(Image.open(BytesIO(page.screenshot())).convert("RGB"))


def camera(open_page: Callable[..., Page], node: Node, prompt: str) -> Page:
    page = open_page(node)
    page.fill("#prompt", prompt)
    page.click("#start")
    until(page, "watch.history.length >= 5")
    return page


def test_it_is_clear_until_there_is_a_session_and_then_shows_it(
    toy: Node, open_page: Callable[..., Page], overlay: Callable[..., Page]
) -> None:
    page = overlay(toy, "fade=0&note=1")
    until(page, "!document.querySelector('#note').hidden")
    assert "no such session" in page.inner_text("#note")
    assert np.abs(picture(page)[20:300, 300:] - BELOW).max() == 0
    camera(open_page, toy, "blue")
    until(page, "document.querySelector('#live').currentTime > 0.3")
    page.wait_for_timeout(500)
    shown = picture(page).astype(int)
    assert np.median(shown[..., 2] - shown[..., 0]) > 40, "all of it is blue"
    assert page.evaluate("document.querySelector('#live').muted") and page.evaluate(
        "document.querySelector('#note').hidden"
    )


def test_crop_and_mask_leave_the_rest_clear(
    toy: Node, open_page: Callable[..., Page], overlay: Callable[..., Page]
) -> None:
    camera(open_page, toy, "red")
    page = overlay(toy, "mask=circle&crop=10,20,10,20&fit=fill&fade=0")
    until(page, "document.querySelector('#live').currentTime > 0.3")
    page.wait_for_timeout(500)
    shown = picture(page)
    assert np.abs(shown[:60, :100] - BELOW).max() == 0 and np.abs(shown[:, :130] - BELOW).max() == 0
    assert shown[180, 320, 0] >= shown[180, 320, 1] and tuple(shown[180, 320]) != BELOW
    box = page.evaluate(
        "(() => { const b = document.querySelector('#live').getBoundingClientRect(); return [b.left, b.top, b.width, b.height]; })()"
    )
    assert np.allclose(box, [-640 / 3, -45, 640 / 0.6, 360 / 0.8], atol=0.6)


def test_another_look_fades_in(toy: Node, open_page: Callable[..., Page], overlay: Callable[..., Page]) -> None:
    page_of_camera = camera(open_page, toy, "red")
    page = overlay(toy, "fade=3000")
    until(page, "document.querySelector('#live').currentTime > 0.5")
    page.wait_for_timeout(500)
    until(page, "document.querySelector('#before').getAnimations().length == 0")
    page_of_camera.fill("#prompt", "blue")
    page_of_camera.press("#prompt", "Enter")
    until(page, "document.querySelector('#before').getAnimations().length > 0")
    page.wait_for_timeout(1200)
    half = picture(page).astype(int).mean((0, 1))
    until(page, "document.querySelector('#before').getAnimations().length == 0")
    done = picture(page).astype(int).mean((0, 1))
    assert half[0] > done[0] + 5 and half[2] < done[2] - 5, "in between there is still some of the red"


def test_it_comes_back_when_the_server_and_the_session_do(
    open_page: Callable[..., Page], overlay: Callable[..., Page], monkeypatch: pytest.MonkeyPatch
) -> None:
    with serve("toy") as node:
        camera(open_page, node, "blue")
        page = overlay(node)
        until(page, "document.querySelector('#live').currentTime > 0.3")
        port = int(node.url.rsplit(":", 1)[1])
    until(page, "!document.querySelector('#picture').classList.contains('shown')")
    page.wait_for_timeout(400)
    assert np.abs(picture(page) - BELOW).max() == 0, "clear, not black"
    monkeypatch.setattr("rig.node._free_port", lambda: port)
    with serve("toy") as node:
        until(page, "document.querySelector('#picture').classList.contains('shown')", limit_s=40)

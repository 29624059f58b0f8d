"""The camera page in headless Firefox, against a real server process."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path

import av
import pytest
from rig.firefox import Page, launch
from rig.node import Node

from reverie.server.provenance import SOURCE_TYPE, read_mark

SOCKETS = """(() => { const Real = WebSocket; window.sockets = [];
    window.WebSocket = class extends Real { constructor(url) { super(url); window.sockets.push(this); } }; })()"""


@pytest.fixture(scope="module")
def page(toy: Node) -> Iterator[Page]:
    try:
        with launch() as page:
            page.goto(toy.url)
            page.evaluate(SOCKETS)
            yield page
    except FileNotFoundError as missing:
        pytest.skip(str(missing))


def test_a_camera_goes_in_and_styled_pictures_come_back(page: Page) -> None:
    page.evaluate("document.querySelector('#prompt').value = 'red'")
    page.evaluate("document.querySelector('#start').click()")
    page.until("watch.history.length >= 5")
    page.until("document.querySelector('#state-text').textContent === 'Live: red'")
    page.until("watch.seen().apart > 10")
    page.until("/^[1-9]\\d* fps/.test(document.querySelector('#figures').textContent)")


def test_another_look_takes_over(page: Page) -> None:
    page.evaluate("document.querySelector('#prompt').value = 'blue'")
    page.evaluate("document.querySelector('#apply').click()")
    page.until("document.querySelector('#state-text').textContent === 'Live: blue'")
    blue = "(() => { const s = watch.seen().styled; let d = 0; for (let i = 0; i < 480; i += 3) d += s[i + 2] - s[i]; return d > 0; })()"
    page.until(blue)


def test_a_lost_connection_comes_back_with_the_same_look(page: Page) -> None:
    page.evaluate("sockets.at(-1).close()")
    page.until("document.querySelector('#state-text').textContent.includes('try 1 of 8')")
    page.until("sockets.length > 1 && document.querySelector('#state-text').textContent === 'Live: blue'")
    page.evaluate("(() => { window.before = watch.presented; })()")
    page.until("watch.presented > window.before + 5")


def test_its_films_are_marked_as_made_with_ai(page: Page, tmp_path: Path) -> None:
    film = """(async () => {
        const { markedFilm } = await import("/web/provenance.js");
        const recorder = new MediaRecorder(document.querySelector("#styled").srcObject, { mimeType: "video/webm;codecs=vp8" });
        const parts = [];
        recorder.ondataavailable = ({ data }) => data.size && parts.push(data);
        const stopped = new Promise((done) => { recorder.onstop = done; });
        recorder.start(500);
        const frames = watch.presented + 20;
        while (watch.presented < frames) await new Promise((done) => setTimeout(done, 50));
        recorder.stop();
        await stopped;
        const reader = new FileReader();
        reader.readAsDataURL(await markedFilm(parts, "video/webm"));
        await new Promise((done) => { reader.onload = done; });
        return reader.result.split(",")[1];
    })()"""
    file = tmp_path / "film.webm"
    file.write_bytes(base64.b64decode(page.evaluate(film)))
    assert read_mark(file) == SOURCE_TYPE
    with av.open(str(file)) as container:
        assert sum(1 for _ in container.decode(video=0)) > 5


def test_the_page_stops(page: Page) -> None:
    page.evaluate("document.querySelector('#stop').click()")
    page.until("document.querySelector('#state-text').textContent === 'Camera off'")
    assert page.evaluate("document.querySelector('#camera').srcObject === null")

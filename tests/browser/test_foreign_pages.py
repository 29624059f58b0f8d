"""What a page of another origin, open in the visitor's browser, can get from the server: nothing."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page
from rig.node import Node


class ForeignPage(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><title>elsewhere</title>")

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def foreign(browser: Browser) -> Iterator[Page]:
    """A page of 127.0.0.1 on another port: the same host, another origin."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), ForeignPage)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    page = browser.new_page()
    page.goto(f"http://127.0.0.1:{server.server_port}/")
    yield page
    page.context.close()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("mode", ["cors", "no-cors"])
def test_a_foreign_page_cannot_read(foreign: Page, toy: Node, mode: str) -> None:
    get = "([url, mode]) => fetch(url, {mode}).then(r => r.text(), error => error.name)"
    assert foreign.evaluate(get, [f"{toy.url}/metrics", mode]) == "TypeError"


def test_a_foreign_page_cannot_post(foreign: Page, toy: Node) -> None:
    post = "url => { fetch(url, {method: 'POST', mode: 'no-cors'}).catch(() => {}); }"
    with foreign.expect_response("**/v1/stream") as refused:
        foreign.evaluate(post, f"{toy.url}/v1/stream")
    assert refused.value.status == 403


def test_a_foreign_page_cannot_open_the_websocket(foreign: Page, toy: Node) -> None:
    connect = """url => new Promise(done => {
        const socket = new WebSocket(url);
        socket.onopen = () => done("opened");
        socket.onclose = () => done("refused");
    })"""
    before = toy.metrics()["reverie_sessions"]
    assert foreign.evaluate(connect, f"{toy.url.replace('http', 'ws', 1)}/v1/stream") == "refused"
    assert toy.metrics()["reverie_sessions"] == before


def test_the_servers_own_page_can_do_both(browser: Browser, toy: Node) -> None:
    page = browser.new_page()
    page.goto(toy.url)
    assert page.evaluate("fetch('/healthz').then(r => r.status)") == 200
    connect = """new Promise(done => {
        const socket = new WebSocket(`ws://${location.host}/v1/stream`);
        socket.onopen = () => { done("opened"); socket.close(); };
        socket.onclose = () => done("refused");
    })"""
    assert page.evaluate(connect) == "opened"
    page.context.close()


def test_a_rebound_host_name_gets_no_page(browser: Browser, toy: Node) -> None:
    """rebound.test resolves to 127.0.0.1, so the request does reach the server, under a name that is not its own."""
    page = browser.new_page()
    response = page.goto(f"http://rebound.test:{urlsplit(toy.url).port}/")
    assert response is not None and response.status == 421
    assert page.query_selector("#start") is None
    page.context.close()

"""npm @decartai/sdk as published: in Chromium from a page of another origin, and its HTTP parts in Node."""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from rig.node import Node, serve
from rig.relay import Relay

if not importlib.util.find_spec("playwright"):
    pytest.skip("the extra reverie[browser] is not installed", allow_module_level=True)
from playwright.sync_api import Browser, Error, Page, sync_playwright
from rig.browser import FLAGS, chromium, until
from rig.decart import CAMERA_BACK, CONNECT, GREEN, OLD_CLOCK, PICTURE, RED, served_page

GREEN_B = GREEN.replace("(a)", "(b)")


@pytest.fixture(scope="module")
def site(modules: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with served_page(modules, tmp_path_factory.mktemp("site")) as origin:
        yield origin


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    flags = [*FLAGS, "--autoplay-policy=no-user-gesture-required"]
    try:
        path = chromium()
    except FileNotFoundError as missing:
        pytest.skip(str(missing))
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=path, headless=True, args=flags)
        yield launched
        launched.close()


@pytest.fixture
def page(browser: Browser, site: str) -> Iterator[Page]:
    opened = browser.new_page()
    opened.goto(site)
    yield opened
    opened.context.close()


@pytest.fixture(scope="module")
def node(site: str) -> Iterator[Node]:
    with ExitStack() as stack:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("REVERIE_ORIGINS", site)
            served = stack.enter_context(serve("toy", "--max-sessions", "1"))
        yield served


JUDGED = """told => told?.metrics.availableUpstreamKbps >= 3500
    && (told.quality === 'good' || told.limitingFactor === 'stall')"""  # a busy machine may paint too few pictures a second


def prompt(text: str) -> dict[str, Any]:
    return {"initialState": {"prompt": {"text": text, "enhance": False}}}


def test_connect_prompt_and_viewer(page: Page, node: Node) -> None:
    page.evaluate(CONNECT, [node.url, prompt("red"), "local"])
    until(page, RED, limit_s=30)
    until(page, "a.videoWidth === 1280 && a.videoHeight === 720")
    until(page, "seen.kinds.join() === 'audio,video' && seen.states.includes('generating')")
    until(page, f"({JUDGED})(live.getConnectionQuality())", limit_s=60)
    page.evaluate("live.setPrompt('green', {enhance: false})")
    until(page, GREEN)
    page.evaluate("client.realtime.subscribe({token: live.subscribeToken, onRemoteStream: s => { b.srcObject = s; }})")
    until(page, "b.videoWidth > 0 && b.getVideoPlaybackQuality().totalVideoFrames > 5", limit_s=30)
    page.evaluate("live.set({prompt: 'red', enhance: false})")
    until(page, RED)
    assert page.evaluate("seen.errors") == []
    page.evaluate("live.disconnect()")


def test_the_sdk_measures_glass_to_glass_and_a_viewer_gets_pictures_without_its_trailers(
    page: Page, node: Node
) -> None:
    page.evaluate(OLD_CLOCK)
    page.evaluate(CONNECT, [node.url, prompt("red") | {"debugQuality": True}, "local"])
    until(page, RED, limit_s=30)
    page.evaluate("client.realtime.subscribe({token: live.subscribeToken, onRemoteStream: s => { b.srcObject = s; }})")
    until(page, "live.getConnectionQuality()?.metrics.g2gMs > 0", limit_s=60)
    until(page, "b.videoWidth > 0 && b.getVideoPlaybackQuality().totalVideoFrames > 5", limit_s=30)
    assert page.evaluate("seen.errors") == []
    page.evaluate("live.disconnect()")


def test_a_full_server_lets_the_page_wait_in_line(page: Page, node: Node, browser: Browser, site: str) -> None:
    other = browser.new_page()
    other.goto(site)
    other.evaluate(CONNECT, [node.url, {}, "local"])
    page.evaluate(f"window.waiting = ({CONNECT})({json.dumps([node.url, {}, 'local'])}).catch(String); 0")
    until(page, "window.seen?.positions.at(-1) === 1")
    other.evaluate("live.disconnect()")
    until(page, "seen.states.at(-1) === 'connected' || seen.states.at(-1) === 'generating'", limit_s=30)
    page.evaluate("live.disconnect()")
    other.context.close()


def test_pictures_of_the_sdk_give_the_look(page: Page, node: Node) -> None:
    page.evaluate(CONNECT, [node.url, prompt("red"), "local"])
    until(page, RED, limit_s=30)
    page.evaluate(f"({PICTURE})('rgb(0,255,0)').then(blob => live.setImage(blob))")
    until(page, GREEN, limit_s=30)
    page.evaluate(f"({PICTURE})('rgb(255,0,0)').then(image => live.set({{prompt: 'red', image, enhance: false}}))")
    until(page, RED, limit_s=30)
    told = page.evaluate("live.setImage(new Blob(['no picture'])).catch(error => error.message)")
    assert "the reference picture is none of" in told
    stored = page.evaluate(f"({PICTURE})('rgb(0,255,0)').then(blob => client.files.upload(blob)).then(file => file.id)")
    page.evaluate("name => live.setImage(name)", stored)
    until(page, GREEN, limit_s=30)
    page.evaluate("live.disconnect()")


@pytest.mark.parametrize("path", ["/v1/stream", ""])
def test_the_look_is_there_again_after_the_network_was_cut(page: Page, node: Node, path: str) -> None:
    """Args: path: the control socket alone, or all there is."""
    relay = Relay(int(node.url.rpartition(":")[2]))
    page.evaluate(CONNECT, [relay.url, prompt("red"), "local"])
    until(page, RED, limit_s=30)
    page.evaluate("live.setPrompt('green', {enhance: false})")
    until(page, GREEN, limit_s=30)
    page.evaluate(CAMERA_BACK)
    page.evaluate("() => { seen.states.length = 0; a.srcObject = null; }")
    assert relay.cut(path) >= 1
    until(page, "seen.states.join() === 'reconnecting,connected,generating'", limit_s=40)
    until(page, f"a.srcObject !== null && a.videoWidth > 0 && {GREEN}", limit_s=30)
    page.evaluate("live.disconnect()")
    relay.close()


def test_media_go_on_where_they_were_when_their_signalling_alone_was_cut(page: Page, node: Node) -> None:
    relay, log = Relay(int(node.url.rpartition(":")[2])), []
    page.on("console", lambda message: log.append(message.text))
    page.evaluate(CONNECT, [relay.url, prompt("red"), "local"])
    page.evaluate("client.realtime.subscribe({token: live.subscribeToken, onRemoteStream: s => { b.srcObject = s; }})")
    until(page, f"{RED} && b.videoWidth > 0 && seen.states.includes('generating')", limit_s=30)
    page.evaluate("() => { seen.states.length = 0; }")
    assert relay.cut("/rtc") == 2
    resumed = lambda: sum("signalReconnecting -> connected" in line for line in log) == 2
    for _ in range(600):
        if resumed():
            break
        page.wait_for_timeout(100)
    assert resumed(), log
    page.evaluate("live.setPrompt('green', {enhance: false})")
    until(page, f"{GREEN} && {GREEN_B}", limit_s=30)
    assert page.evaluate("[a, b].every(v => v.srcObject.getTracks().every(track => track.readyState === 'live'))")
    assert page.evaluate("seen.states.length + seen.errors.length") == 0
    page.evaluate("live.disconnect()")
    relay.close()


def test_a_refusal_is_thrown_at_once_with_its_reason(page: Page, node: Node) -> None:
    with pytest.raises(Error, match="Invalid API key"):
        page.evaluate(CONNECT, [node.url, {}, "a.b.c"])


def test_a_page_that_is_not_listed_is_refused_at_once_with_the_reason(page: Page, toy: Node) -> None:
    with pytest.raises(Error, match=r"not allowed: pages of .* may not use this server"):
        page.evaluate(CONNECT, [toy.url, {}, "local"])
    socket = "url => new Promise(done => { const s = new WebSocket(url); s.onopen = () => done(1); s.onclose = () => done(0); })"
    assert page.evaluate(socket, toy.url.replace("http", "ws") + "/v1/stream") == 0


def test_the_http_parts_in_node(modules: Path, toy: Node, make_clip: Any, tmp_path: Path) -> None:
    node = shutil.which("node")
    assert node
    Image.new("RGB", (64, 48), (200, 60, 60)).save(picture := tmp_path / "picture.png")
    command = [node, "http.js", toy.url, make_clip("clip.mp4"), picture]
    done = subprocess.run(command, cwd=modules, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]
    saw = json.loads(done.stdout)
    assert saw and all(saw.values()), saw
